/* The transition from a block to the next: what the norm's scale and shift make of the block's output, through an
   activation, a dropout and a pooling of any windows; and the way of the gradient back. */

#ifndef TRANSITION_H
#define TRANSITION_H

#include "activation.h"
#include "pooling.h"

/* The transition of one channel of a group. */
typedef struct {
    const Transition *to;
    Real scale, shift;
    Vector factor;              /* by image */
    const uint16_t *kept_lanes; /* of the channel's first pixel, or none */
    int rows, columns;          /* before the pooling */
} Passage;

static int64_t final_rows(const Block *b) { return b->transition.pooling ? b->transition.rows : out_rows(b); }
static int64_t final_columns(const Block *b) { return b->transition.pooling ? b->transition.columns : out_columns(b); }
static int64_t final_plane(const Block *b) { return plane_size(final_rows(b), final_columns(b)); }

/* Vectors of scratch for a transition: two planes, and at the end of a segment a group. */
static int64_t transition_scratch(const Block *b) { return 2 * out_plane(b) + b->outputs * final_plane(b); }

static int64_t values_of_image(const Block *b) { return b->outputs * out_rows(b) * out_columns(b); }

/* Which lanes of a group keep each value. */
static void gather_kept(const Block *b, const Workspace *work, int64_t group) {
    int64_t values = values_of_image(b);
    uint16_t *lanes = b->transition.kept_lanes + group * values;
    memset(lanes, 0, (size_t)values * sizeof(uint16_t));
    for (int l = 0; l < lanes_used(work, group); l++) {
        const uint8_t *kept = b->transition.kept + (group * LANES + l) * values;
        for (int64_t i = 0; i < values; i++) lanes[i] |= (uint16_t)(kept[i] << l);
    }
}

static Passage passage_of(const Block *b, const Workspace *work, int64_t group, int64_t channel) {
    const Transition *to = &b->transition;
    Passage passage = {to, 1, 0, (Vector){0} + 1, 0, (int)out_rows(b), (int)out_columns(b)};
    if (b->norm) passage.scale = (Real)b->scale[channel], passage.shift = (Real)b->shift[channel];
    if (to->channel_factors)
        for (int l = 0; l < lanes_used(work, group); l++)
            passage.factor[l] = to->channel_factors[(group * LANES + l) * b->outputs + channel];
    if (to->kept) {
        passage.factor = (Vector){0} + (Real)to->kept_factor;
        passage.kept_lanes = to->kept_lanes + group * values_of_image(b) + channel * to->channel_stride;
    }
    return passage;
}

/* Of each lane all bits, if its value at a pixel is kept. */
INLINE Mask kept_at(const Passage *passage, int64_t pixel) {
    Mask lane_bits;
    UNROLL for (int l = 0; l < LANES; l++) lane_bits[l] = (RealBits)1 << l;
    return ((lane_bits & (RealBits)passage->kept_lanes[pixel * passage->to->pixel_stride]) != 0);
}

INLINE void activate_values(const int activation, const int drops, const Passage *passage, const Vector *from,
                            Vector *into) {
    Real slope = (Real)passage->to->slope;
    for (int64_t p = 0; p < passage->rows * passage->columns; p++) {
        Vector v = activated(activation, slope, from[p] * passage->scale + passage->shift);
        into[p] = passage->factor * (drops ? masked(kept_at(passage, p), v) : v);
    }
}

/* From the gradient of the result, which may lie at `into`, to that of the block's output. Adds to the gradients of
   scale and shift. */
INLINE void activate_backward(const int activation, const int drops, const Passage *passage, const Vector *from,
                              const Vector *gradient, Vector *into, Vector *sums) {
    Real slope = (Real)passage->to->slope;
    Vector by_scale = {0}, by_shift = {0};
    for (int64_t p = 0; p < passage->rows * passage->columns; p++) {
        Vector back = gradient[p] * passage->factor;
        if (drops) back = masked(kept_at(passage, p), back);
        back = activation_gradient(activation, slope, from[p] * passage->scale + passage->shift, back);
        by_scale += back * from[p];
        by_shift += back;
        into[p] = back * passage->scale;
    }
    sums[0] += by_scale, sums[1] += by_shift;
}

/* CALL(activation, drops) with constants. */
#define BY_DROPOUT(passage, CALL, activation)                                                                          \
    case activation:                                                                                                   \
        if ((passage)->kept_lanes) CALL(activation, 1);                                                                \
        else CALL(activation, 0);                                                                                      \
        break;
#define BY_KIND(passage, CALL)                                                                                         \
    switch ((passage)->to->activation) {                                                                               \
        BY_DROPOUT(passage, CALL, NO_ACTIVATION)                                                                       \
        BY_DROPOUT(passage, CALL, RELU)                                                                                \
        BY_DROPOUT(passage, CALL, LEAKY_RELU)                                                                          \
        BY_DROPOUT(passage, CALL, ELU)                                                                                 \
        BY_DROPOUT(passage, CALL, SILU)                                                                                \
        BY_DROPOUT(passage, CALL, GELU)                                                                                \
        BY_DROPOUT(passage, CALL, TANH)                                                                                \
        BY_DROPOUT(passage, CALL, SIGMOID)                                                                             \
    }

static void activate(const Passage *passage, const Vector *from, Vector *into) {
#define ACTIVATE(activation, drops) activate_values(activation, drops, passage, from, into)
    BY_KIND(passage, ACTIVATE)
}

static void deactivate(const Passage *passage, const Vector *from, const Vector *gradient, Vector *into,
                       Vector *sums) {
#define DEACTIVATE(activation, drops) activate_backward(activation, drops, passage, from, gradient, into, sums)
    BY_KIND(passage, DEACTIVATE)
}

/* ---- Windows of any stride and padding ---- */

/* The values of a window that lie on the map. */
typedef struct {
    int top, bottom, left, right;
} Window;

INLINE Window window_at(const Passage *passage, int64_t row, int64_t column) {
    const Transition *to = passage->to;
    int top = (int)(row * to->row_stride - to->row_padding);
    int left = (int)(column * to->column_stride - to->column_padding);
    return (Window){larger(0, top), smaller(passage->rows, top + (int)to->window_rows), larger(0, left),
                    smaller(passage->columns, left + (int)to->window_columns)};
}

INLINE Vector maximum_of(const Window *window, int width, const Vector *values) {
    Vector best = values[window->top * width + window->left];
    for (int y = window->top; y < window->bottom; y++)
        for (int x = window->left; x < window->right; x++) {
            Vector v = values[y * width + x];
            Mask better = (Mask)(v > best) | (Mask)(v != v);
            best = masked(better, v) + masked(~better, best);
        }
    return best;
}

static void pool_windows(const Passage *passage, const Vector *values, Vector *into) {
    const Transition *to = passage->to;
    int width = passage->columns;
    Real size = (Real)(to->window_rows * to->window_columns);
    for (int64_t row = 0; row < to->rows; row++)
        for (int64_t column = 0; column < to->columns; column++) {
            Window window = window_at(passage, row, column);
            Vector sum = {0};
            for (int y = window.top; to->pooling == MEAN_POOLING && y < window.bottom; y++)
                for (int x = window.left; x < window.right; x++) sum += values[y * width + x];
            *into++ = to->pooling == MEAN_POOLING ? sum / size : maximum_of(&window, width, values);
        }
}

/* The gradient of the values from that of each window: of a maximum to the first value that equals it, of a mean in
   equal parts. */
static void unpool_windows(const Passage *passage, const Vector *values, const Vector *gradient, Vector *into) {
    const Transition *to = passage->to;
    int width = passage->columns;
    Real size = (Real)(to->window_rows * to->window_columns);
    memset(into, 0, (size_t)(passage->rows * width) * sizeof(Vector));
    for (int64_t row = 0; row < to->rows; row++)
        for (int64_t column = 0; column < to->columns; column++) {
            Window window = window_at(passage, row, column);
            Vector back = *gradient++, part = back / size;
            Vector best = to->pooling == MAX_POOLING ? maximum_of(&window, width, values) : part;
            Mask before = {0};
            for (int y = window.top; y < window.bottom; y++)
                for (int x = window.left; x < window.right; x++) {
                    int p = y * width + x;
                    if (to->pooling == MEAN_POOLING) {
                        into[p] += part;
                        continue;
                    }
                    Mask hit = (Mask)(values[p] == best) & ~before;
                    before |= hit;
                    into[p] += masked(hit, back);
                }
        }
}

/* ---- A group ---- */

/* A group's output after the transition. */
static void transform(const Block *b, const Workspace *work, int64_t group, Vector *into, Vector *scratch) {
    const Vector *from = group_of(b->out, group);
    for (int64_t c = 0; c < b->outputs; c++, from += out_plane(b), into += final_plane(b)) {
        Passage passage = passage_of(b, work, group, c);
        activate(&passage, from, passage.to->pooling ? scratch : into);
        if (passage.to->pooling) pool_windows(&passage, scratch, into);
    }
}

/* The gradient of a channel of a group's output, from that of what the transition makes of it. */
static void transform_channel_backward(const Block *b, const Workspace *work, int64_t group, int64_t channel,
                                       const Vector *gradient, Vector *into, Vector *scratch, Vector *sums) {
    const Vector *from = group_of(b->out, group) + channel * out_plane(b);
    Passage passage = passage_of(b, work, group, channel);
    if (passage.to->pooling) {
        Vector *values = scratch, *unpooled = scratch + out_plane(b);
        if (passage.to->pooling == MAX_POOLING) activate(&passage, from, values);
        unpool_windows(&passage, values, gradient, unpooled);
        gradient = unpooled;
    }
    deactivate(&passage, from, gradient, into, sums);
}

#endif
