/* torch's generator of random numbers on the CPU, and what a dropout keeps by it.

   The Mersenne Twister MT19937: Matsumoto and Nishimura, "Mersenne Twister: A 623-Dimensionally Equidistributed Uniform
   Pseudo-Random Number Generator", 1998. torch makes one number after the other; here the words of a whole state are
   made together, in vectors. */

#ifndef GENERATOR_H
#define GENERATOR_H

#include "types.h"

#define WORDS 624
#define SHIFT 397
#define FRACTION_BITS 53 /* of a double, which torch takes for each draw from two words */

/* How the bytes of `torch.Generator.get_state` begin. */
typedef struct {
    uint64_t seed;
    int32_t left, seeded; /* one more than the words that are left of the state */
    uint64_t next, words[WORDS];
} Generator;

INLINE uint32_t twisted(uint32_t far, uint32_t word, uint32_t next) {
    return far ^ (((word & 0x80000000) | (next & 0x7fffffff)) >> 1) ^ (-(next & 1) & 0x9908b0df);
}

INLINE uint32_t tempered(uint32_t word) {
    word ^= word >> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return word ^ (word >> 18);
}

static void next_state(uint32_t *state) {
    int i = 0;
    for (; i < WORDS - SHIFT; i++) state[i] = twisted(state[i + SHIFT], state[i], state[i + 1]);
    for (; i < WORDS - 1; i++) state[i] = twisted(state[i + SHIFT - WORDS], state[i], state[i + 1]);
    state[i] = twisted(state[SHIFT - 1], state[i], state[0]);
}

/* Draws `count` times whether a value is kept, in the order of memory, and leaves the generator behind that: what
   `bernoulli_(p)` does to a tensor of bool. `below` is p as a share of 2^53, rounded up. */
void draw_kept(Generator *generator, uint8_t *kept, int64_t count, int64_t below) {
    uint32_t state[WORDS], drawn[WORDS + 1];
    int next = generator->left > 1 ? (int)generator->next : WORDS;
    for (int i = 0; i < WORDS; i++) state[i] = (uint32_t)generator->words[i];
    for (int held = 0; count;) { /* at most one word, the first half of a draw */
        if (next == WORDS) next_state(state), next = 0;
        int fresh = WORDS - next;
        if (fresh > 2 * count - held) fresh = (int)(2 * count - held);
        for (int i = 0; i < fresh; i++) drawn[held + i] = tempered(state[next + i]);
        next += fresh, held += fresh;
        int draws = held / 2;
        for (int i = 0; i < draws; i++) {
            int64_t draw = (int64_t)((uint64_t)drawn[2 * i] << 32 | drawn[2 * i + 1]);
            kept[i] = (draw & ((1ll << FRACTION_BITS) - 1)) < below;
        }
        kept += draws, count -= draws, held -= 2 * draws;
        if (held) drawn[0] = drawn[2 * draws];
    }
    for (int i = 0; i < WORDS; i++) generator->words[i] = state[i];
    generator->next = (uint64_t)next, generator->left = WORDS - next + 1;
}

#endif
