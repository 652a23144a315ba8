/* A block in a pass over the groups: in which order it takes them, and how much of a map it makes at a time. */

#ifndef BLOCK_PASS_H
#define BLOCK_PASS_H

#include "pooling.h"
#include "weight_gradient.h"

/* The first of the `count` groups that come after `n` others. Every other block goes through the groups backwards: it
   begins with those that the block before it ended with, which are still in the cache. */
INLINE int64_t visited(int64_t block, int64_t n, int64_t count, const Workspace *work) {
    return block % 2 ? groups_of(work) - count - n : n;
}

/* A block in a pass. `number` decides in which order it goes through the groups. */
typedef struct {
    const Workspace *work;
    const Block *block;
    int64_t number;
    Maps input, gradient; /* of the block's input; of its output */
    int wants_tap_sums, wants_totals, wants_input_gradient;
} BlockPass;

/* Blocks that follow each other, of which each group, or each chunk, needs no sums over others from the block before. A
   thread takes it through all of them, while what one gives the next is in the cache. */
typedef struct {
    const BlockPass *passes;
    int64_t count;
} Chain;

/* Whether the raw output is not kept but computed again backward. For so few weights that takes less time than to fetch
   it from memory, and other blocks read only the pooled output. */
static int recomputes_raw(const Block *b) {
    return b->pooling && !b->copies && weights_per_output(b) <= 9 && groups_per_strip(b) == 1;
}

/* Rows of the gradient of a raw output that are made, and used for all weights, before the next. */
static int strip_rows(const Block *b) {
    int rows = larger(1, STRIP_PIXELS / (int)b->columns);
    if (b->pooling) rows = larger(1, rows / (int)b->window_rows) * (int)b->window_rows;
    return smaller(rows, (int)b->rows);
}

/* Whether an output pixel reads the pixel at its own place alone. Then the gradient of the input follows from each
   strip of that of the raw output, which is forgotten before the next: the group's would not stay in the cache. */
static int is_pointwise(const Block *b) {
    return !b->depthwise && taps_of(b) == 1 && b->row_stride == 1 && b->column_stride == 1 && !pads(b) &&
           !passes_gradient(b);
}

/* Vectors of a group's gradient of the raw output, and from one channel of it to the next. */
static int64_t gradient_plane(const Block *b) {
    return is_pointwise(b) ? plane_size(strip_rows(b), b->columns) : raw_plane(b);
}
static int64_t gradient_size(const Block *b) { return passes_gradient(b) ? 0 : b->outputs * gradient_plane(b); }

/* Vectors that hold the number of each output times gradient_plane, where a convolution has to be told. */
static int64_t offsets_size(const Block *b) { return is_pointwise(b) ? b->outputs * 4 / VECTOR_BYTES + 1 : 0; }

static int64_t zeros_size(const Block *b) { return b->in_columns + 2 * b->column_padding + 1 + LANES; }

#endif
