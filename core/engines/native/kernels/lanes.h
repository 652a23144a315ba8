/* Sums over lanes, and lanes exchanged with vectors. */

#ifndef LANES_H
#define LANES_H

#include "types.h"

#if LANES == 2
#define EVEN_LANES 0, 2
#define ODD_LANES 1, 3
#elif LANES == 4
#define EVEN_LANES 0, 2, 4, 6
#define ODD_LANES 1, 3, 5, 7
#elif LANES == 8
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15
#else
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#endif

/* Lanes of two vectors by their numbers. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector) /* clang, and gcc from 12 on */
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef PICK
#define PICK(a, b, ...) __builtin_shuffle(a, b, (Mask){__VA_ARGS__})
#endif

/* The sums over lanes of as many vectors as a vector has lanes, each in its lane. */
INLINE Vector lane_sums(const Vector *vectors) {
    Vector v[LANES];
    UNROLL for (int l = 0; l < LANES; l++) v[l] = vectors[l];
    UNROLL for (int count = LANES; count > 1; count /= 2)
        UNROLL for (int i = 0; i < count / 2; i++)
            v[i] = PICK(v[2 * i], v[2 * i + 1], EVEN_LANES) + PICK(v[2 * i], v[2 * i + 1], ODD_LANES);
    return v[0];
}

/* Of as many vectors as a vector has lanes: lane i of vector j becomes lane j of vector i. */
INLINE void transpose(Vector *v) {
    Vector next[LANES];
    UNROLL for (int step = 1; step < LANES; step *= 2) {
        UNROLL for (int i = 0; i < LANES / 2; i++) {
            next[i] = PICK(v[2 * i], v[2 * i + 1], EVEN_LANES);
            next[i + LANES / 2] = PICK(v[2 * i], v[2 * i + 1], ODD_LANES);
        }
        UNROLL for (int i = 0; i < LANES; i++) v[i] = next[i];
    }
}

#endif
