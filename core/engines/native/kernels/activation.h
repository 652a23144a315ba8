/* Activations of vectors and their derivatives. */

#ifndef ACTIVATION_H
#define ACTIVATION_H

#include "types.h"

#ifdef DOUBLE
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define LARGEST_EXPONENT 708
#define EXP_TERMS 13
#else
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define LARGEST_EXPONENT 87
#define EXP_TERMS 7
#endif

INLINE Vector chosen(Mask mask, Vector yes, Vector no) { return masked(mask, yes) + masked(~mask, no); }

/* e^v, to a few units in the last place, for v held between the ends of what a Real can be. v = n ln 2 + r, and e^r is
   summed as its Taylor series; adding 1.5 * 2^MANTISSA_BITS rounds to the whole number n, and leaves it in the lowest
   bits. */
INLINE Vector exponential(Vector v) {
    const Real rounder = (Real)((RealBits)3 << (MANTISSA_BITS - 1));
    const Vector zero = {0};
    v = chosen((Mask)(v > LARGEST_EXPONENT), zero + LARGEST_EXPONENT, v);
    v = chosen((Mask)(v < -LARGEST_EXPONENT), zero - LARGEST_EXPONENT, v);
    Vector rounded = v * (Real)1.4426950408889634 + rounder, n = rounded - rounder;
    Vector r = v - n * (Real)0.693359375 - n * (Real)-2.121944400546905827679e-4, sum = zero + 1;
    UNROLL for (int term = EXP_TERMS; term; term--) sum = sum * r / (Real)term + 1;
    Mask power = ((Mask)rounded - (Mask)(zero + rounder) + EXPONENT_BIAS) << MANTISSA_BITS;
    return sum * (Vector)power;
}

INLINE Vector logistic(Vector v) { return 1 / (1 + exponential(-v)); }

/* The share of a normal distribution below v. */
INLINE Vector normal_share(Vector v) {
#ifdef DOUBLE
    for (int l = 0; l < LANES; l++) v[l] = 0.5 * erfc(-v[l] * 0.7071067811865476);
    return v;
#else /* Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: to 1e-7 */
    Vector size = chosen((Mask)(v < 0), -v, v), t = 1 / (1 + (Real)(0.3275911 * 0.7071067811865476) * size);
    Vector tail = t * (Real)1.061405429 - (Real)1.453152027;
    tail = (((tail * t + (Real)1.421413741) * t - (Real)0.284496736) * t + (Real)0.254829592) * t;
    tail = tail * exponential(size * size * (Real)-0.5) / 2;
    return chosen((Mask)(v < 0), tail, 1 - tail);
#endif
}

INLINE Vector activated(const int activation, Real slope, Vector v) {
    Mask negative = (Mask)(v < 0); /* not v > 0: what is not a number stays so */
    switch (activation) {
    case RELU: return masked(~negative, v);
    case LEAKY_RELU: return chosen(negative, v * slope, v);
    case ELU: return chosen(negative, slope * (exponential(v) - 1), v);
    case SILU: return v * logistic(v);
    case GELU: return v * normal_share(v);
    case TANH: return 2 * logistic(2 * v) - 1;
    case SIGMOID: return logistic(v);
    default: return v;
    }
}

/* The gradient of what is activated, from that of the result. */
INLINE Vector activation_gradient(const int activation, Real slope, Vector v, Vector gradient) {
    Mask off = (Mask)(v <= 0);
    switch (activation) {
    case RELU: return masked(~off, gradient);
    case LEAKY_RELU: return chosen(off, gradient * slope, gradient);
    case ELU: return chosen(off, gradient * slope * exponential(v), gradient);
    case SILU: {
        Vector s = logistic(v);
        return gradient * s * (1 + v * (1 - s));
    }
    case GELU: return gradient * (normal_share(v) + v * exponential(v * v * (Real)-0.5) * (Real)0.3989422804014327);
    case TANH: {
        Vector s = logistic(2 * v);
        return gradient * 4 * s * (1 - s);
    }
    case SIGMOID: {
        Vector s = logistic(v);
        return gradient * s * (1 - s);
    }
    default: return gradient;
    }
}

#endif
