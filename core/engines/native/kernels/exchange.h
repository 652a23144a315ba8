/* Images to groups and back, and the gradient of a segment's output. */

#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "lanes.h"
#include "team.h"
#include "transition.h"

/* Images (N, C, H, W) of any strides, and the groups that they become or come from. */
typedef struct {
    const Workspace *work;
    Maps maps;
    const Real *from;
    Real *to;
    const int64_t *strides;
    int64_t channels, rows, columns;
    const double *scale, *shift;
} Exchange;

/* One channel of a group's images. `lanes` is a constant where it is LANES, as in all groups but the last. */
INLINE void read_channel(const int lanes, const Exchange *e, const Real *image, Real *group) {
    for (int64_t y = 0; y < e->rows; y++)
        for (int64_t x = 0; x < e->columns; x++, group += LANES) {
            const Real *pixel = image + y * e->strides[2] + x * e->strides[3];
            UNROLL_CONSTANT for (int l = 0; l < lanes; l++) group[l] = pixel[l * e->strides[0]];
        }
}

INLINE void write_channel(const int lanes, const Exchange *e, const Real *group, Real factor, Real offset,
                          Real *image) {
    for (int64_t y = 0; y < e->rows; y++)
        for (int64_t x = 0; x < e->columns; x++, group += LANES) {
            Real *pixel = image + y * e->strides[2] + x * e->strides[3];
            UNROLL_CONSTANT for (int l = 0; l < lanes; l++) pixel[l * e->strides[0]] = group[l] * factor + offset;
        }
}

/* Whether the channels of a pixel lie side by side, and its images fill a vector: then a tile of as many images as
   channels is read or written at once. */
INLINE int in_tiles(const Exchange *e, int lanes) {
    return lanes == LANES && e->channels > 1 && e->strides[1] == 1 && e->strides[3] == e->channels &&
           e->strides[2] == e->columns * e->channels;
}

/* Reads, or writes, beyond the last channel of a pixel reach the next one's; those of the last pixel may not. */
INLINE size_t tile_bytes(const Exchange *e, int64_t at, int count) {
    int64_t end = e->rows * e->columns * e->channels;
    return (at + LANES <= end ? LANES : (size_t)count) * sizeof(Real);
}

static void read_tiles(const Exchange *e, const Real *images, Vector *group) {
    int64_t plane = plane_size(e->rows, e->columns), pixels = e->rows * e->columns;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < e->channels; c += LANES) {
            int count = smaller(LANES, (int)(e->channels - c));
            int64_t at = p * e->channels + c;
            size_t bytes = tile_bytes(e, at, count);
            Vector v[LANES];
            if (bytes == sizeof(Vector))
                UNROLL for (int l = 0; l < LANES; l++) memcpy(v + l, images + l * e->strides[0] + at, sizeof(Vector));
            else
                for (int l = 0; l < LANES; l++) memcpy(v + l, images + l * e->strides[0] + at, bytes);
            transpose(v);
            for (int i = 0; i < count; i++) group[(c + i) * plane + p] = v[i];
        }
}

/* Pixel by pixel, as what is written beyond a pixel's channels is overwritten by the next. */
static void write_tiles(const Exchange *e, const Vector *group, Real *images) {
    int64_t plane = plane_size(e->rows, e->columns), pixels = e->rows * e->columns;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < e->channels; c += LANES) {
            int count = smaller(LANES, (int)(e->channels - c));
            int64_t at = p * e->channels + c;
            size_t bytes = tile_bytes(e, at, count);
            Vector v[LANES];
            UNROLL for (int i = 0; i < LANES; i++) {
                int64_t channel = c + smaller(i, count - 1);
                Real factor = e->scale ? (Real)e->scale[channel] : 1, offset = e->scale ? (Real)e->shift[channel] : 0;
                v[i] = group[channel * plane + p] * factor + offset;
            }
            transpose(v);
            if (bytes == sizeof(Vector))
                UNROLL for (int l = 0; l < LANES; l++) memcpy(images + l * e->strides[0] + at, v + l, sizeof(Vector));
            else
                for (int l = 0; l < LANES; l++) memcpy(images + l * e->strides[0] + at, v + l, bytes);
        }
}

/* The images of a group, into its maps. Lanes without an image are 0. */
static void read_group_into(const Exchange *e, int64_t g, Vector *into) {
    int lanes = lanes_used(e->work, g);
    int64_t plane = plane_size(e->rows, e->columns);
    const Real *images = e->from + g * LANES * e->strides[0];
    if (in_tiles(e, lanes)) {
        read_tiles(e, images, into);
        return;
    }
    if (lanes < LANES) memset(into, 0, (size_t)(e->channels * plane) * sizeof(Vector));
    for (int64_t c = 0; c < e->channels; c++) {
        const Real *image = images + c * e->strides[1];
        Real *group = (Real *)(into + c * plane);
        if (lanes == LANES) read_channel(LANES, e, image, group);
        else read_channel(lanes, e, image, group);
    }
}

static void read_group(const void *context, int64_t g, Vector *scratch) {
    const Exchange *e = context;
    (void)scratch;
    read_group_into(e, g, group_of(e->maps, g));
}

static void write_group(const void *context, int64_t g, Vector *scratch) {
    const Exchange *e = context;
    (void)scratch;
    int lanes = lanes_used(e->work, g);
    if (in_tiles(e, lanes)) {
        write_tiles(e, group_of(e->maps, g), e->to + g * LANES * e->strides[0]);
        return;
    }
    for (int64_t c = 0; c < e->channels; c++) {
        Real *image = e->to + g * LANES * e->strides[0] + c * e->strides[1];
        const Real *group = (const Real *)(group_of(e->maps, g) + c * plane_size(e->rows, e->columns));
        Real factor = e->scale ? (Real)e->scale[c] : 1, offset = e->scale ? (Real)e->shift[c] : 0;
        if (lanes == LANES) write_channel(LANES, e, group, factor, offset, image);
        else write_channel(lanes, e, group, factor, offset, image);
    }
}

/* Images to the segment's input. */
void read_images(const Workspace *work, const Real *images, const int64_t *strides, int64_t channels, int64_t rows,
                 int64_t columns) {
    Exchange exchange = {work, work->input, images, 0, strides, channels, rows, columns, 0, 0};
    in_parallel(work, groups_of(work), read_group, &exchange);
}

/* Groups to images, each channel times its scale plus its shift, where there are some. */
void write_images(const Workspace *work, const Maps *maps, Real *images, const int64_t *strides, int64_t channels,
                  int64_t rows, int64_t columns, const double *scale, const double *shift) {
    Exchange exchange = {work, *maps, 0, images, strides, channels, rows, columns, scale, shift};
    in_parallel(work, groups_of(work), write_group, &exchange);
}

/* The gradient of the segment's output, from images to groups, and of its scale and shift. */
typedef struct {
    Exchange exchange;
    const Block *block;
    double *scale_gradient, *shift_gradient;
} GradientExchange;

#define GRADIENT_CHANNELS 4 /* summed side by side, as each sum waits for the one before */

/* The sums of some channels of all groups, in an order that is the same for any number of threads; and what the
   gradients are of the values before scale and shift. */
INLINE void sum_gradient(const int channels, const GradientExchange *x, int64_t channel) {
    const Exchange *e = &x->exchange;
    int64_t plane = plane_size(e->rows, e->columns), pixels = e->rows * e->columns;
    double by_scale[GRADIENT_CHANNELS] = {0}, by_shift[GRADIENT_CHANNELS] = {0};
    for (int64_t g = 0; g < groups_of(e->work); g++) {
        int lanes = lanes_used(e->work, g);
        Vector *gradient = group_of(e->maps, g) + channel * plane;
        const Vector *out = group_of(x->block->out, g) + channel * plane;
        for (int64_t p = 0; p < pixels; p++) {
            Real back[GRADIENT_CHANNELS][LANES], product[GRADIENT_CHANNELS][LANES];
            UNROLL for (int c = 0; c < channels; c++) {
                Vector v = gradient[c * plane + p], by_out = v * out[c * plane + p];
                memcpy(back[c], &v, sizeof(Vector));
                memcpy(product[c], &by_out, sizeof(Vector));
                gradient[c * plane + p] = v * (Real)x->block->scale[channel + c];
            }
            for (int l = 0; l < lanes; l++)
                UNROLL for (int c = 0; c < channels; c++) by_scale[c] += product[c][l], by_shift[c] += back[c][l];
        }
    }
    UNROLL for (int c = 0; c < channels; c++)
        x->scale_gradient[channel + c] = by_scale[c], x->shift_gradient[channel + c] = by_shift[c];
}

static void sum_gradient_channels(const void *context, int64_t part, Vector *scratch) {
    const GradientExchange *x = context;
    int64_t first = part * GRADIENT_CHANNELS, end = x->exchange.channels;
    (void)scratch;
    if (first + GRADIENT_CHANNELS <= end) sum_gradient(GRADIENT_CHANNELS, x, first);
    else
        for (int64_t c = first; c < end; c++) sum_gradient(1, x, c);
}

/* The gradient of what the last block's transition made, of a group, and its share of the sums. */
static void transform_gradient_group(const void *context, int64_t g, Vector *scratch) {
    const GradientExchange *x = context;
    const Block *b = x->block;
    Vector *gradient = scratch, *rest = scratch + b->outputs * final_plane(b);
    const Workspace *work = x->exchange.work;
    read_group_into(&x->exchange, g, gradient);
    double *found = b->partial_sums + 2 * g * b->outputs;
    for (int64_t c = 0; c < b->outputs; c++, gradient += final_plane(b), found += 2) {
        Vector sums[2] = {{0}, {0}}, *into = group_of(x->exchange.maps, g) + c * out_plane(b);
        transform_channel_backward(b, work, g, c, gradient, into, rest, sums);
        found[0] = found[1] = 0;
        for (int l = 0; l < LANES; l++) found[0] += sums[0][l], found[1] += sums[1][l];
    }
}

/* From the gradient of a segment's output to that of the last block's, and of its scale and shift. */
static void output_gradient_of_images(const GradientExchange *x, int64_t ends_transformed) {
    const Exchange *e = &x->exchange;
    const Block *b = x->block;
    if (!ends_transformed) {
        in_parallel(e->work, groups_of(e->work), read_group, e);
        int64_t parts = (e->channels + GRADIENT_CHANNELS - 1) / GRADIENT_CHANNELS;
        if (b->norm) in_parallel(e->work, parts, sum_gradient_channels, x);
        return;
    }
    in_parallel(e->work, groups_of(e->work), transform_gradient_group, x);
    for (int64_t c = 0; c < b->outputs; c++) {
        x->scale_gradient[c] = x->shift_gradient[c] = 0;
        for (int64_t g = 0; g < groups_of(e->work); g++) {
            x->scale_gradient[c] += b->partial_sums[2 * (g * b->outputs + c)];
            x->shift_gradient[c] += b->partial_sums[2 * (g * b->outputs + c) + 1];
        }
    }
}

#endif
