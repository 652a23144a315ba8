/* The gradient of weights: sums over pixels and images of the gradient of an output times what a weight is applied to.

   The weights of an output are numbered in the order (input, kernel row, kernel column); read_plane, read_row and
   read_column say what each is applied to. A tile takes some weights of some outputs through a strip of pixels, with
   their sums in registers. */

#ifndef WEIGHT_GRADIENT_H
#define WEIGHT_GRADIENT_H

#include "convolution.h"
#include "lanes.h"
#include "team.h"

#define STRIP_PIXELS 48 /* whose gradients are used for all weights before the next, while they are in the cache */

/* Groups whose maps are small enough to share a strip. */
int64_t groups_per_strip(const Block *b) { return larger(1, (int)(STRIP_PIXELS / (b->rows * b->columns))); }

/* What the products are summed over: rows first..last of some groups. */
typedef struct {
    int groups, first, last;
    int starts_sums; /* whether the sums begin here, or are added to what is there */
    Maps gradient;   /* from row `first` on */
    int64_t plane;   /* vectors from one channel of it to the next */
    Maps input;
    const Vector *zeros; /* a row of them, with its paddings, which is read in place of rows outside of the map */
} Strip;

/* Weights of an output that a tile of so many outputs takes. */
INLINE int tile_weights(int channels) {
    if (channels == MOST_CHANNELS) return 3;
    return channels == 1 ? 9 : channels == 4 ? 6 : MOST_CHANNELS == 8 ? 12 : 6;
}

/* One pixel's products of the gradients of `channels` outputs with each of the values. */
INLINE void add_products(const int channels, const int weights, const Vector *gradient, int64_t plane,
                         const Vector *value, Vector *sum) {
    UNROLL for (int c = 0; c < channels; c++) {
        Vector g = gradient[c * plane];
        UNROLL for (int w = 0; w < weights; w++) sum[c * weights + w] += g * value[w];
    }
}

INLINE void store_sums(const int count, const Strip *strip, const Vector *sum, Vector *sums) {
    UNROLL for (int i = 0; i < count; i++) sums[i] = strip->starts_sums ? sum[i] : sums[i] + sum[i];
}

/* Where a weight reads the row that belongs to row `y` of the output, for its kernel's first column and before any
   padding; rows outside of the map, and weights beyond the last of `count`, read zeros. */
INLINE const Vector *row_read(const Block *b, const Strip *strip, const Vector *x, int y, int weight, int count) {
    if (weight >= count) return strip->zeros;
    int64_t from = y * b->row_stride + b->read_row[weight];
    return from < 0 || from >= b->in_rows ? strip->zeros : x + b->read_plane[weight] + from * b->in_columns;
}

/* The sums for `weights` weights, from number `first` of `count` on, of each of `channels` outputs. */
INLINE void any_products(const int channels, const int weights, const Block *b, const Strip *strip, int first,
                         int count, Vector *sums) {
    int64_t plane = strip->plane, width = b->in_columns;
    int stride = (int)b->column_stride, columns = (int)b->columns;
    Vector sum[TILE_SUMS], value[TILE_PIXELS];
    UNROLL for (int i = 0; i < channels * weights; i++) sum[i] = (Vector){0};
    int column[TILE_PIXELS], low = 0, high = columns; /* between these no column outside of the map is read */
    UNROLL for (int w = 0; w < weights; w++) {
        column[w] = first + w < count ? b->read_column[first + w] : 0;
        low = larger(low, (-column[w] + stride - 1) / stride);
        high = smaller(high, column[w] < width ? ((int)width - 1 - column[w]) / stride + 1 : 0);
    }
    low = smaller(low, columns);
    high = larger(high, low);
    const Vector *x = strip->input.vectors, *gradient = strip->gradient.vectors;
    for (int group = 0; group < strip->groups; group++, gradient += strip->gradient.size, x += strip->input.size)
        for (int y = strip->first; y < strip->last; y++) {
            const Vector *row[TILE_PIXELS], *g = gradient + (y - strip->first) * columns;
            UNROLL for (int w = 0; w < weights; w++) row[w] = row_read(b, strip, x, y, first + w, count) + column[w];
            for (int p = low; p < high; p++) {
                UNROLL for (int w = 0; w < weights; w++) value[w] = row[w][p * stride];
                add_products(channels, weights, g + p, plane, value, sum);
            }
            for (int p = low ? 0 : high; p < columns; p = p + 1 == low ? high : p + 1) {
                UNROLL for (int w = 0; w < weights; w++) {
                    int from = p * stride + column[w];
                    value[w] = from < 0 || from >= width ? (Vector){0} : row[w][p * stride];
                }
                add_products(channels, weights, g + p, plane, value, sum);
            }
        }
    store_sums(channels * weights, strip, sum, sums);
}

/* One pixel's products for a kernel of three columns that moves by one pixel. What the three weights of a kernel row
   are applied to lies side by side; where this pixel follows the one to its left, two of the three values are known. */
INLINE void add_row_products(const int channels, const int weights, const int follow, const Vector *g, int64_t plane,
                             const Vector *const *row, int p, Vector *value, Vector *sum) {
    UNROLL for (int w = 0; w < weights; w += 3) {
        value[w] = follow ? value[w + 1] : row[w][p];
        value[w + 1] = follow ? value[w + 2] : row[w][p + 1];
        value[w + 2] = row[w][p + 2];
    }
    add_products(channels, weights, g + p, plane, value, sum);
}

/* The same sums for such a kernel. */
INLINE void row_products(const int channels, const int weights, const Block *b, const Strip *strip, int first,
                         int count, Vector *sums) {
    int64_t plane = strip->plane, width = b->in_columns;
    int columns = (int)b->columns, padding = (int)b->column_padding, low = smaller(padding, columns);
    int high = larger(low, smaller(columns, (int)width + padding - 2));
    Vector sum[TILE_SUMS], value[TILE_PIXELS];
    UNROLL for (int i = 0; i < channels * weights; i++) sum[i] = (Vector){0};
    const Vector *x = strip->input.vectors, *gradient = strip->gradient.vectors;
    for (int group = 0; group < strip->groups; group++, gradient += strip->gradient.size, x += strip->input.size)
        for (int y = strip->first; y < strip->last; y++) {
            const Vector *row[TILE_PIXELS], *g = gradient + (y - strip->first) * columns;
            UNROLL for (int w = 0; w < weights; w += 3) row[w] = row_read(b, strip, x, y, first + w, count) - padding;
            int p = low;
            for (; p + 3 <= high; p += 3) {
                add_row_products(channels, weights, 0, g, plane, row, p, value, sum);
                add_row_products(channels, weights, 1, g, plane, row, p + 1, value, sum);
                add_row_products(channels, weights, 1, g, plane, row, p + 2, value, sum);
            }
            for (; p < high; p++) add_row_products(channels, weights, 0, g, plane, row, p, value, sum);
            for (p = low ? 0 : high; p < columns; p = p + 1 == low ? high : p + 1) {
                UNROLL for (int w = 0; w < weights; w++) {
                    int64_t from = p + w % 3 - padding;
                    value[w] = from < 0 || from >= width ? (Vector){0} : row[w - w % 3][p + w % 3];
                }
                add_products(channels, weights, g + p, plane, value, sum);
            }
        }
    store_sums(channels * weights, strip, sum, sums);
}

#define DEFINE_PRODUCTS(channels, weights)                                                                             \
    static __attribute__((noinline)) void products_##channels(const Block *b, const Strip *strip, int first,           \
                                                              int count, Vector *sums) {                               \
        if (b->kernel_columns == 3 && b->column_stride == 1 && b->column_dilation == 1)                                \
            row_products(channels, weights, b, strip, first, count, sums);                                             \
        else                                                                                                           \
            any_products(channels, weights, b, strip, first, count, sums);                                             \
    }
#if MOST_CHANNELS == 8 /* the numbers of weights are those of tile_weights */
DEFINE_PRODUCTS(8, 3)
DEFINE_PRODUCTS(4, 6)
DEFINE_PRODUCTS(2, 12)
#else
DEFINE_PRODUCTS(4, 3)
DEFINE_PRODUCTS(2, 6)
#endif
DEFINE_PRODUCTS(1, 9)

/* The sums for all weights of all outputs, [tile of outputs][tile of weights][output][weight]. */
static void weight_products(const Block *b, const Strip *strip, Vector *sums) {
    int count = weights_per_output(b);
    for (int channel = 0, channels; channel < b->outputs; channel += channels) {
        channels = b->depthwise ? 1 : tile_channels((int)b->outputs - channel);
        Strip here = *strip;
        here.gradient.vectors += channel * strip->plane;
        if (b->depthwise) here.input.vectors += channel * in_plane(b);
        int weights = tile_weights(channels);
        for (int first = 0; first < count; first += weights, sums += channels * weights) {
#if MOST_CHANNELS == 8
            if (channels == 8) products_8(b, &here, first, count, sums);
#endif
            if (channels == 4) products_4(b, &here, first, count, sums);
            if (channels == 2) products_2(b, &here, first, count, sums);
            if (channels == 1) products_1(b, &here, first, count, sums);
        }
    }
}

/* How many sums that are. */
static int64_t products_size(const Block *b) {
    int64_t size = 0, count = weights_per_output(b);
    if (b->copies) return 0;
    for (int64_t channel = 0, channels; channel < b->outputs; channel += channels) {
        channels = b->depthwise ? 1 : tile_channels((int)(b->outputs - channel));
        int64_t weights = tile_weights((int)channels);
        size += (count + weights - 1) / weights * weights * channels;
    }
    return size;
}

/* The sums of a channel's gradient over the places at which each tap reads the map and not its padding, [tap + 1]; the
   last, over all places, is left to others. `gradient` begins with row `first`. */
static void add_tap_sums(const Block *b, const Vector *gradient, int first, int last, Vector *sums) {
    for (int y = first; y < last; y++, gradient += b->columns) {
        Vector all = {0};
        for (int64_t p = 0; p < b->columns; p++) all += gradient[p];
        for (int64_t j = 0; j < b->kernel_columns; j++) {
            Vector inside = all;
            int64_t low = 0, high = b->columns, column = j * b->column_dilation - b->column_padding;
            while (low < high && low * b->column_stride + column < 0) low++;
            while (high > low && (high - 1) * b->column_stride + column >= b->in_columns) high--;
            for (int64_t p = 0; p < low; p++) inside -= gradient[p];
            for (int64_t p = high; p < b->columns; p++) inside -= gradient[p];
            for (int64_t i = 0; i < b->kernel_rows; i++) {
                int64_t from = y * b->row_stride + i * b->row_dilation - b->row_padding;
                if (from >= 0 && from < b->in_rows) sums[i * b->kernel_columns + j] += inside;
            }
        }
    }
}

/* The sum of so many rows of a channel's gradient. */
INLINE Vector strip_total(const Block *b, const Vector *gradient, int rows) {
    Vector total = {0};
    for (int64_t p = 0; p < rows * b->columns; p++) total += gradient[p];
    return total;
}

static int64_t tap_sums_size(const Block *b) { return b->outputs * (taps_of(b) + 1); }

/* Of a transformed input, the gradients of the scale and the shift before its transition. */
static int64_t transition_sums_size(const Block *b) { return b->transformed ? 2 * b->inputs : 0; }

/* ---- From the sums to the gradients ---- */

/* The sums of a chunk, with lanes added up, are of type Real: this many, rounded up to whole vectors. */
static int64_t chunk_sums_size(const Block *b) {
    return (products_size(b) + tap_sums_size(b) + transition_sums_size(b) + LANES - 1) / LANES * LANES;
}

/* The gradients of a block's parameters, from the sums of all chunks, and those of its input's scale and shift. */
typedef struct {
    const Workspace *work;
    const Block *block;
    const double *scale, *shift;
    double *scale_gradient, *shift_gradient;
} Collection;

/* A share of the sums, by thread: those of the other chunks are added to the first's, in their order. */
static void add_chunks(const void *context, int64_t part, Vector *scratch) {
    const Collection *collection = context;
    const Block *b = collection->block;
    (void)scratch;
    int64_t size = chunk_sums_size(b) / LANES, parts = collection->work->threads;
    Vector *sums = (Vector *)b->partial_sums;
    for (int64_t i = size * part / parts; i < size * (part + 1) / parts; i++)
        for (int64_t n = 1; n < b->chunks; n++) sums[i] += sums[n * size + i];
}

/* The gradients of all weights of one input, and of its scale and shift. */
static void collect_input(const void *context, int64_t input, Vector *scratch) {
    const Collection *collection = context;
    const Block *b = collection->block;
    (void)scratch;
    double factor = collection->scale ? collection->scale[input] : 1;
    double offset = collection->scale ? collection->shift[input] : 0, by_scale = 0, by_shift = 0;
    int64_t taps = taps_of(b), count = weights_per_output(b);
    const Real *products = (const Real *)b->partial_sums, *tap_sums = products + products_size(b);
    for (int64_t first = 0, channels; first < b->outputs; first += channels) {
        channels = b->depthwise ? 1 : tile_channels((int)(b->outputs - first));
        int64_t row = b->depthwise ? 0 : input, weight = row * taps, step = tile_weights((int)channels);
        for (int64_t c = 0; c < channels && (!b->depthwise || first == input); c++) {
            const Real *product = products + weight / step * step * channels + c * step;
            const Real *by_tap = tap_sums + (first + c) * (taps + 1);
            int64_t place = weight % step;
            for (int64_t i = 0, tap = 0; i < b->kernel_rows; i++)
                for (int64_t j = 0; j < b->kernel_columns; j++, tap++) {
                    int64_t at = weight_at(b, first + c, row, i, j);
                    double by_raw = product[place], by_one = by_tap[pads(b) ? tap : taps];
                    by_scale += b->weight[at] * by_raw;
                    by_shift += b->weight[at] * by_one;
                    b->weight_gradient[at] = (Real)(factor * by_raw + offset * by_one);
                    if (++place == step) place = 0, product += step * channels;
                }
        }
        products += (count + step - 1) / step * step * channels;
    }
    collection->scale_gradient[input] = by_scale, collection->shift_gradient[input] = by_shift;
}

static void collect_gradients(const Collection *collection) {
    const Block *b = collection->block;
    int64_t taps = taps_of(b);
    const Real *tap_sums = (const Real *)b->partial_sums + products_size(b);
    in_parallel(collection->work, collection->work->threads, add_chunks, collection);
    for (int64_t output = 0; b->bias_gradient && output < b->outputs; output++)
        b->bias_gradient[output] = tap_sums[output * (taps + 1) + taps];
    if (!b->copies) in_parallel(collection->work, b->inputs, collect_input, collection);
    const Real *sums = tap_sums + tap_sums_size(b);
    for (int64_t input = 0; b->transformed && input < b->inputs; input++) {
        collection->scale_gradient[input] = sums[2 * input];
        collection->shift_gradient[input] = sums[2 * input + 1];
    }
}

#endif
