/* Depthwise convolutions of three rows and columns that move by one pixel, channel by channel.

   They come to the same sums in the same order as the tiles of convolution.h and weight_gradient.h, for which a single
   channel is too little work: here a row of the map is a loop, with the nine weights in registers. */

#ifndef DEPTHWISE_H
#define DEPTHWISE_H

#include "types.h"

#define ROWS 3 /* of the kernel, and columns */

/* One channel of a group, from x to y. */
typedef struct {
    const Vector *x;
    int in_rows, in_columns;
    Vector *y;
    int rows, columns, row_padding, column_padding;
    const Real *weight;
    const Real *class_bias; /* or none */
    int relu;
} DepthwiseMap;

/* Which taps of the kernel are on the map, for an output so far from the corner. */
typedef struct {
    int first, last;
} Taps;

INLINE Taps taps_at(int place, int padding, int inputs) {
    return (Taps){larger(0, padding - place), smaller(ROWS, inputs + padding - place)};
}

INLINE Vector ended(const int relu, Vector v) { return relu ? masked(~(Mask)(v < 0), v) : v; }

/* Outputs `first` to `last` of a row, all of whose columns are on the map; `rows` rows of the kernel are. */
INLINE void depthwise_row(const int rows, const int relu, int width, const Real *weight, const Vector *x, Vector start,
                          int first, int last, Vector *y) {
    Vector by[ROWS * ROWS];
    UNROLL for (int i = 0; i < ROWS * rows; i++) by[i] = (Vector){0} + weight[i];
    for (int p = first; p < last; p++) {
        Vector sum = start;
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int j = 0; j < ROWS; j++) sum += by[ROWS * i + j] * x[i * width + p + j];
        y[p] = ended(relu, sum);
    }
}

/* The bias of a class of pixels, those with the same taps along both axes. */
INLINE Vector bias_of(const DepthwiseMap *map, int row_class, int column_class, int column_classes) {
    return (map->class_bias ? map->class_bias[row_class * column_classes + column_class] : 0) - (Vector){0};
}

/* How many kinds of taps the places along an axis have. */
static int classes_along(int outputs, int padding, int inputs) {
    int count = 1;
    Taps before = taps_at(0, padding, inputs);
    for (int place = 1; place < outputs; place++) {
        Taps taps = taps_at(place, padding, inputs);
        count += taps.first != before.first || taps.last != before.last;
        before = taps;
    }
    return count;
}

static __attribute__((noinline)) void compute_depthwise(const DepthwiseMap *map) {
    int columns = map->columns, width = map->in_columns, padding = map->column_padding;
    int low = smaller(padding, columns), high = larger(low, smaller(columns, width + padding - (ROWS - 1)));
    int column_classes = map->class_bias ? classes_along(columns, padding, width) : 1, row_class = 0;
    Taps before = taps_at(0, map->row_padding, map->in_rows);
    for (int row = 0; row < map->rows; row++) {
        Taps down = taps_at(row, map->row_padding, map->in_rows), right_before = taps_at(0, padding, width);
        row_class += down.first != before.first || down.last != before.last;
        before = down;
        const Vector *x = map->x + (row - map->row_padding + down.first) * width - padding;
        const Real *weight = map->weight + ROWS * down.first;
        Vector *y = map->y + row * columns;
        for (int p = 0, column_class = 0; p < columns; p++) {
            Taps right = taps_at(p, padding, width);
            column_class += right.first != right_before.first || right.last != right_before.last;
            right_before = right;
            Vector sum = bias_of(map, row_class, column_class, column_classes);
            if (p == low && low < high) {
                int rows = down.last - down.first;
#define ROW(rows, relu) depthwise_row(rows, relu, width, weight, x, sum, low, high, y)
                if (map->relu) rows == 3 ? ROW(3, 1) : rows == 2 ? ROW(2, 1) : ROW(1, 1);
                else rows == 3 ? ROW(3, 0) : rows == 2 ? ROW(2, 0) : ROW(1, 0);
                p = high - 1;
                continue;
            }
            for (int i = 0; i < down.last - down.first; i++)
                for (int j = right.first; j < right.last; j++) sum += weight[ROWS * i + j] * x[i * width + p + j];
            y[p] = ended(map->relu, sum);
        }
    }
}

/* Whether the block is such a convolution, whichever way. */
static int has_depthwise_map(const Block *b) {
    return b->depthwise && !b->copies && b->kernel_rows == ROWS && b->kernel_columns == ROWS && b->row_stride == 1 &&
           b->column_stride == 1 && b->row_dilation == 1 && b->column_dilation == 1 && b->row_padding < ROWS &&
           b->column_padding < ROWS;
}

/* A channel of a group's output from that of its input; or backward, of the input's gradient from the output's. */
static void depthwise_map(const Block *b, int backward, int64_t channel, const Vector *x, Vector *y) {
    DepthwiseMap to_output = {.x = x,
                              .in_rows = (int)b->in_rows,
                              .in_columns = (int)b->in_columns,
                              .y = y,
                              .rows = (int)b->rows,
                              .columns = (int)b->columns,
                              .row_padding = (int)b->row_padding,
                              .column_padding = (int)b->column_padding,
                              .weight = b->packed + channel * ROWS * ROWS,
                              .class_bias = b->class_bias + channel * b->forward.classes,
                              .relu = (int)b->relu};
    DepthwiseMap to_input = {.x = x,
                             .in_rows = (int)b->rows,
                             .in_columns = (int)b->columns,
                             .y = y,
                             .rows = (int)b->in_rows,
                             .columns = (int)b->in_columns,
                             .row_padding = ROWS - 1 - (int)b->row_padding,
                             .column_padding = ROWS - 1 - (int)b->column_padding,
                             .weight = b->packed_backward + channel * ROWS * ROWS};
    compute_depthwise(backward ? &to_input : &to_output);
}

/* The products of a channel's gradient, in rows first..last, with what each weight is applied to, which are added to
   `sums`, or begin them. `zeros` is a row of them, which is read in place of rows outside of the map. */
INLINE void depthwise_strip(const Block *b, const Vector *gradient, const Vector *x, const Vector *zeros, int first,
                            int last, int starts_sums, Vector *sums) {
    int columns = (int)b->columns, width = (int)b->in_columns, padding = (int)b->column_padding;
    int low = smaller(padding, columns), high = larger(low, smaller(columns, width + padding - (ROWS - 1)));
    Vector sum[ROWS * ROWS];
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sum[i] = (Vector){0};
    for (int y = first; y < last; y++) {
        const Vector *g = gradient + y * columns, *row[ROWS];
        UNROLL for (int i = 0; i < ROWS; i++) {
            int from = y + i - (int)b->row_padding;
            row[i] = (from < 0 || from >= b->in_rows ? zeros : x + from * width) - padding;
        }
        for (int p = low; p < high; p++)
            UNROLL for (int i = 0; i < ROWS; i++)
                UNROLL for (int j = 0; j < ROWS; j++) sum[ROWS * i + j] += g[p] * row[i][p + j];
        for (int p = low ? 0 : high; p < columns; p = p + 1 == low ? high : p + 1) {
            Taps right = taps_at(p, padding, width);
            UNROLL for (int j = 0; j < ROWS; j++)
                if (j >= right.first && j < right.last)
                    UNROLL for (int i = 0; i < ROWS; i++) sum[ROWS * i + j] += g[p] * row[i][p + j];
        }
    }
    UNROLL for (int i = 0; i < ROWS * ROWS; i++) sums[i] = starts_sums ? sum[i] : sums[i] + sum[i];
}

#endif
