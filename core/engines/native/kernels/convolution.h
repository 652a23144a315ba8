/* Convolution by tiles, forward and backward, and the packing of weights for it. */

#ifndef CONVOLUTION_H
#define CONVOLUTION_H

#include "depthwise.h"

#define TILE_SUMS 24   /* at most, in registers */
#define TILE_PIXELS 12 /* taken through all channels before the next, while what they read is in the cache */

/* What becomes of a tile's sums. */
typedef struct {
    const Real *bias; /* by channel, or none */
    int relu;
    Vector *statistics; /* by channel: a pivot, the sums of value - pivot and of its square; or none */
} Epilogue;

/* What a tile works on. */
typedef struct {
    const Vector *x;
    const Real *packed;             /* [weight of an output][channel of the tile] */
    const int32_t *weight, *offset; /* of each run, as in Traversal */
    int runs;
    const int32_t *reads, *writes; /* of each pixel */
    Vector *y;
    int64_t y_plane;
    const Epilogue *epilogue;
    int channel; /* the tile's first */
    int starts_statistics;
} Tile;

/* The sums of `channels` outputs at `pixels` places, from runs of `length` taps. Where the places are `adjacent`, a run
   reads each value once. All four are constants where this is inlined, so that the sums stay in registers. */
INLINE void sum_tile(const int channels, const int pixels, const int length, const int adjacent, const Tile *t) {
    const Epilogue *end = t->epilogue;
    const int32_t *writes = t->writes;
    Vector sum[TILE_SUMS];
    const Vector *place[TILE_PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) place[p] = t->x + t->reads[p];
    UNROLL for (int c = 0; c < channels; c++) {
        Vector start = (end->bias ? end->bias[t->channel + c] : 0) - (Vector){0}; /* not + 0, which turns -0 into 0 */
        UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] = start;
    }
    for (int run = 0; run < t->runs; run++) {
        const Real *weights = t->packed + t->weight[run] * channels;
        int64_t at = t->offset[run];
        Vector value[TILE_PIXELS];
        UNROLL for (int tap = 0; tap < length; tap++) {
            UNROLL for (int p = 0; p < pixels; p++) {
                if (!adjacent) value[p] = place[p][at + tap];
                else value[p] = tap && p + 1 < pixels ? value[p + 1] : place[0][at + tap + p];
            }
            UNROLL for (int c = 0; c < channels; c++) {
                Real weight = weights[tap * channels + c];
                UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] += weight * value[p];
            }
        }
    }
    UNROLL for (int c = 0; c < channels; c++) {
        Vector *y = t->y + (t->channel + c) * t->y_plane;
        UNROLL for (int p = 0; p < pixels; p++) {
            Vector v = sum[c * pixels + p];
            if (end->relu) v = masked(~(Mask)(v < 0), v); /* not v > 0: what is not a number stays so */
            sum[c * pixels + p] = y[writes[p]] = v;
        }
        if (end->statistics) {
            Vector *s = end->statistics + 3 * (t->channel + c);
            if (t->starts_statistics) s[0] = sum[c * pixels], s[1] = s[2] = (Vector){0};
            Vector pivot = s[0], total = s[1], squares = s[2];
            UNROLL for (int p = 0; p < pixels; p++) {
                Vector v = sum[c * pixels + p] - pivot;
                total += v;
                squares += v * v;
            }
            s[1] = total, s[2] = squares;
        }
    }
}

/* The tiles there are, by number of channels: DO(channels, pixels, length of runs, adjacent). The first that fits is
   taken, so the large ones come first; the last, of one pixel, fits everywhere. */
#if MOST_CHANNELS == 8
#define ADJACENT_8(DO) DO(8, 3, 3, 1)
#define SCATTERED_8(DO, length) DO(8, 3, length, 0) DO(8, 2, length, 0) DO(8, 1, length, 0)
#define ADJACENT_4(DO) DO(4, 6, 3, 1) DO(4, 3, 3, 1)
#define SCATTERED_4(DO, length) DO(4, 6, length, 0) DO(4, 3, length, 0) DO(4, 2, length, 0) DO(4, 1, length, 0)
#define ADJACENT_2(DO) DO(2, 6, 3, 1)
#define SCATTERED_2(DO, length) DO(2, 12, length, 0) DO(2, 6, length, 0) DO(2, 3, length, 0) DO(2, 1, length, 0)
#else
#define ADJACENT_4(DO) DO(4, 3, 3, 1)
#define SCATTERED_4(DO, length) DO(4, 3, length, 0) DO(4, 2, length, 0) DO(4, 1, length, 0)
#define ADJACENT_2(DO) DO(2, 3, 3, 1)
#define SCATTERED_2(DO, length) DO(2, 6, length, 0) DO(2, 3, length, 0) DO(2, 1, length, 0)
#endif
#define ADJACENT_1(DO) DO(1, 6, 3, 1)
#define SCATTERED_1(DO, length) DO(1, 12, length, 0) DO(1, 6, length, 0) DO(1, 3, length, 0) DO(1, 1, length, 0)

typedef struct {
    int pixels, adjacent;
    void (*sum)(const Tile *tile);
} TileKind;

#define DEFINE_TILE(channels, pixels, length, adjacent)                                                                \
    static __attribute__((noinline)) void tile_##channels##_##pixels##_##length##_##adjacent(const Tile *t) {          \
        sum_tile(channels, pixels, length, adjacent, t);                                                               \
    }
#define TILE_KIND(channels, pixels, length, adjacent)                                                                  \
    {pixels, adjacent, tile_##channels##_##pixels##_##length##_##adjacent},
#define DEFINE_TILES(channels)                                                                                         \
    ADJACENT_##channels(DEFINE_TILE) SCATTERED_##channels(DEFINE_TILE, 3) SCATTERED_##channels(DEFINE_TILE, 1)         \
    static const TileKind runs_of_3_##channels[] = {ADJACENT_##channels(TILE_KIND) SCATTERED_##channels(TILE_KIND, 3)};\
    static const TileKind runs_of_1_##channels[] = {SCATTERED_##channels(TILE_KIND, 1)};

#if MOST_CHANNELS == 8
DEFINE_TILES(8)
#endif
DEFINE_TILES(4)
DEFINE_TILES(2)
DEFINE_TILES(1)

static const TileKind *kinds_for(int channels, int length) {
    switch (channels) {
#if MOST_CHANNELS == 8
    case 8: return length == 3 ? runs_of_3_8 : runs_of_1_8;
#endif
    case 4: return length == 3 ? runs_of_3_4 : runs_of_1_4;
    case 2: return length == 3 ? runs_of_3_2 : runs_of_1_2;
    default: return length == 3 ? runs_of_3_1 : runs_of_1_1;
    }
}

/* The first kind that fits the next pixels, of which `left` are left. */
INLINE const TileKind *fitting(const TileKind *kind, const int32_t *reads, int left) {
    while (kind->pixels > left || (kind->adjacent && reads[kind->pixels - 1] != reads[0] + kind->pixels - 1)) kind++;
    return kind;
}

/* The maps of some groups that a convolution reads, x, and writes, y. */
typedef struct {
    int groups;
    Maps x, y;
    int64_t x_plane, y_plane;
} MapPair;

/* Where `count` pixels of a class read and write, from number `start` on, where those of one group follow those of the
   group before. */
static void locate_pixels(const int32_t *reads, const int32_t *writes, int pixels, const MapPair *maps, int start,
                          int count, int32_t *into_reads, int32_t *into_writes) {
    for (int i = 0; i < count; i++) {
        int group = (start + i) / pixels, pixel = (start + i) % pixels;
        into_reads[i] = reads[pixel] + group * (int32_t)maps->x.size;
        into_writes[i] = writes[pixel] + group * (int32_t)maps->y.size;
    }
}

/* All outputs of a convolution of all channels of x, in the order of a traversal. */
static void traverse(const Traversal *order, const MapPair *maps, const Real *packed, int weights_each, int outputs,
                     const Epilogue *end) {
    for (int k = 0; k < order->classes; k++) {
        int pixel = order->first_pixel[k], pixels = order->first_pixel[k + 1] - pixel;
        int run = order->first_run[k], stop = maps->groups * pixels;
        Epilogue epilogue = *end;
        if (epilogue.bias) epilogue.bias += (int64_t)k * outputs;
        Tile tile = {.x = maps->x.vectors,
                     .weight = order->weight + run,
                     .offset = order->offset + run,
                     .runs = order->first_run[k + 1] - run,
                     .y = maps->y.vectors,
                     .y_plane = maps->y_plane,
                     .epilogue = &epilogue};
        for (int start = 0; start < stop; start += TILE_PIXELS) {
            int count = smaller(TILE_PIXELS, stop - start);
            const int32_t *reads = order->reads + pixel + start, *writes = order->writes + pixel + start;
            int32_t located_reads[TILE_PIXELS], located_writes[TILE_PIXELS];
            if (maps->groups > 1) {
                locate_pixels(order->reads + pixel, order->writes + pixel, pixels, maps, start, count, located_reads,
                              located_writes);
                reads = located_reads, writes = located_writes;
            }
            tile.packed = packed;
            tile.channel = 0;
            for (int channels; tile.channel < outputs; tile.channel += channels) {
                channels = tile_channels(outputs - tile.channel);
                const TileKind *kinds = kinds_for(channels, order->run_length[k]), *kind;
                for (int done = 0; done < count; done += kind->pixels) {
                    kind = fitting(kinds, reads + done, count - done);
                    tile.reads = reads + done, tile.writes = writes + done;
                    tile.starts_statistics = pixel + start + done == 0;
                    kind->sum(&tile);
                }
                tile.packed += (int64_t)channels * weights_each;
            }
        }
    }
}

/* From input to raw output, or backward from the latter's gradient to the former's, of some groups. A depthwise
   convolution is one of each channel alone. */
static void convolve(const Block *b, int backward, int groups, Maps x, Maps y, const Epilogue *end) {
    const Traversal *order = backward ? &b->backward : &b->forward;
    const Real *packed = backward ? b->packed_backward : b->packed;
    int taps = (int)taps_of(b);
    MapPair maps = {groups, x, y, backward ? raw_plane(b) : in_plane(b), backward ? in_plane(b) : raw_plane(b)};
    if (!b->depthwise) {
        int inputs = (int)(backward ? b->outputs : b->inputs), outputs = (int)(backward ? b->inputs : b->outputs);
        traverse(order, &maps, packed, inputs * taps, outputs, end);
        return;
    }
    if (has_depthwise_map(b) && !end->statistics) {
        for (int g = 0; g < groups; g++)
            for (int c = 0; c < b->outputs; c++)
                depthwise_map(b, backward, c, group_of(x, g) + c * maps.x_plane, group_of(y, g) + c * maps.y_plane);
        return;
    }
    for (int c = 0; c < b->outputs; c++) {
        Epilogue epilogue = *end;
        if (epilogue.bias) epilogue.bias += c * order->classes;
        if (epilogue.statistics) epilogue.statistics += 3 * c;
        traverse(order, &maps, packed + c * taps, taps, 1, &epilogue);
        maps.x.vectors += maps.x_plane, maps.y.vectors += maps.y_plane;
    }
}

/* ---- Packing ---- */

/* The weights between one input and one output, times `factor`, `step` apart; backward, the kernel is turned round. */
static void pack_taps(const Block *b, int64_t output, int64_t input, double factor, int backward, Real *into,
                      int64_t step) {
    int64_t taps = taps_of(b), tap = 0;
    for (int64_t row = 0; row < b->kernel_rows; row++)
        for (int64_t column = 0; column < b->kernel_columns; column++, tap++) {
            int64_t place = backward ? taps - 1 - tap : tap;
            into[place * step] = (Real)(b->weight[weight_at(b, output, input, row, column)] * factor);
        }
}

/* The weights in tiles, [input][tap][output of the tile], each times its input's scale; backward, where the roles of
   inputs and outputs are exchanged, [output][tap][input of the tile]. */
static void pack(const Block *b, const double *scale, int backward) {
    int64_t taps = taps_of(b), over = backward ? b->outputs : b->inputs, into = backward ? b->inputs : b->outputs;
    Real *packed = backward ? b->packed_backward : b->packed;
    if (b->depthwise) {
        for (int64_t c = 0; c < b->outputs; c++)
            pack_taps(b, c, 0, scale ? scale[c] : 1, backward, packed + c * taps, 1);
        return;
    }
    for (int64_t first = 0, channels; first < into; packed += channels * over * taps, first += channels) {
        channels = tile_channels((int)(into - first));
        for (int64_t c = 0; c < channels; c++)
            for (int64_t i = 0; i < over; i++) {
                int64_t output = backward ? i : first + c, input = backward ? first + c : i;
                pack_taps(b, output, input, scale ? scale[input] : 1, backward, packed + i * taps * channels + c,
                          channels);
            }
    }
}

/* For each class of pixels the bias, plus what the input's shift amounts to over the taps that these pixels have. */
static void pack_bias(const Block *b, const double *shift) {
    int64_t classes = b->forward.classes, taps = taps_of(b);
    for (int64_t output = 0; output < b->outputs; output++) {
        double shifted[taps]; /* by tap: the sum over inputs of weight times shift */
        for (int64_t tap = 0; tap < taps; tap++) shifted[tap] = 0;
        for (int64_t i = 0; shift && i < inputs_per_output(b); i++)
            for (int64_t row = 0, tap = 0; row < b->kernel_rows; row++)
                for (int64_t column = 0; column < b->kernel_columns; column++, tap++)
                    shifted[tap] += shift[b->depthwise ? output : i] * b->weight[weight_at(b, output, i, row, column)];
        for (int64_t k = 0; k < classes; k++) {
            double sum = b->bias ? b->bias[output] : 0;
            int run = b->forward.first_run[k], runs = b->forward.first_run[k + 1] - run;
            for (int last = run + runs / (int)inputs_per_output(b); run < last; run++) /* those of one channel */
                for (int tap = 0; tap < b->forward.run_length[k]; tap++)
                    sum += shifted[b->forward.weight[run] + tap];
            b->class_bias[b->depthwise ? output * classes + k : k * b->outputs + output] = (Real)sum;
        }
    }
}

#endif
