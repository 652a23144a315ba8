/* Images to groups and back, and the gradient of a segment's output. */

#ifndef EXCHANGE_H
#define EXCHANGE_H

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

static void read_group(const void *context, int64_t g, Vector *scratch) {
    const Exchange *e = context;
    (void)scratch;
    int lanes = lanes_used(e->work, g);
    for (int64_t c = 0; c < e->channels; c++) {
        const Real *image = e->from + g * LANES * e->strides[0] + c * e->strides[1];
        Real *group = (Real *)(group_of(e->maps, g) + c * plane_size(e->rows, e->columns));
        if (lanes == LANES) read_channel(LANES, e, image, group);
        else read_channel(lanes, e, image, group);
    }
}

static void write_group(const void *context, int64_t g, Vector *scratch) {
    const Exchange *e = context;
    (void)scratch;
    int lanes = lanes_used(e->work, g);
    for (int64_t c = 0; c < e->channels; c++) {
        Real *image = e->to + g * LANES * e->strides[0] + c * e->strides[1];
        const Real *group = (const Real *)(group_of(e->maps, g) + c * plane_size(e->rows, e->columns));
        Real factor = e->scale ? (Real)e->scale[c] : 1, offset = e->scale ? (Real)e->shift[c] : 0;
        if (lanes == LANES) write_channel(LANES, e, group, factor, offset, image);
        else write_channel(lanes, e, group, factor, offset, image);
    }
}

/* Images to the segment's input; lanes without an image are 0. */
void read_images(const Workspace *work, const Real *images, const int64_t *strides, int64_t channels, int64_t rows,
                 int64_t columns) {
    Exchange exchange = {work, work->input, images, 0, strides, channels, rows, columns, 0, 0};
    memset(group_of(work->input, groups_of(work) - 1), 0, (size_t)work->input.size * sizeof(Vector));
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

INLINE void read_gradient(const int lanes, const Exchange *e, const Real *image, const Real *out, Real factor,
                          Real *group, double *scale_sum, double *shift_sum) {
    for (int64_t y = 0; y < e->rows; y++)
        for (int64_t x = 0; x < e->columns; x++, group += LANES, out += LANES) {
            const Real *pixel = image + y * e->strides[2] + x * e->strides[3];
            UNROLL_CONSTANT for (int l = 0; l < lanes; l++) {
                Real gradient = pixel[l * e->strides[0]];
                *scale_sum += gradient * out[l];
                *shift_sum += gradient;
                group[l] = gradient * factor;
            }
        }
}

/* One channel of all groups, so that the order of its sums is the same for any number of threads. */
static void read_gradient_channel(const void *context, int64_t c, Vector *scratch) {
    const GradientExchange *x = context;
    const Exchange *e = &x->exchange;
    (void)scratch;
    int64_t place = c * plane_size(e->rows, e->columns);
    Real factor = x->block->norm ? (Real)x->block->scale[c] : 1;
    double scale_sum = 0, shift_sum = 0;
    for (int64_t g = 0; g < groups_of(e->work); g++) {
        const Real *image = e->from + g * LANES * e->strides[0] + c * e->strides[1];
        const Real *out = (const Real *)(group_of(x->block->out, g) + place);
        Real *group = (Real *)(group_of(e->maps, g) + place);
        int lanes = lanes_used(e->work, g);
        if (lanes == LANES) read_gradient(LANES, e, image, out, factor, group, &scale_sum, &shift_sum);
        else read_gradient(lanes, e, image, out, factor, group, &scale_sum, &shift_sum);
    }
    x->scale_gradient[c] = scale_sum, x->shift_gradient[c] = shift_sum;
}

/* The same for one channel of what the last block's transition made. */
static void transform_gradient_channel(const void *context, int64_t c, Vector *scratch) {
    const GradientExchange *x = context;
    const Exchange *e = &x->exchange;
    const Block *b = x->block;
    Vector *gradient = scratch, *rest = scratch + final_plane(b), sums[2] = {{0}, {0}};
    x->scale_gradient[c] = x->shift_gradient[c] = 0;
    for (int64_t g = 0; g < groups_of(e->work); g++) {
        const Real *image = e->from + g * LANES * e->strides[0] + c * e->strides[1];
        int lanes = lanes_used(e->work, g);
        if (lanes < LANES) memset(gradient, 0, (size_t)final_plane(b) * sizeof(Vector));
        if (lanes == LANES) read_channel(LANES, e, image, (Real *)gradient);
        else read_channel(lanes, e, image, (Real *)gradient);
        sums[0] = sums[1] = (Vector){0};
        transform_channel_backward(b, e->work, g, c, gradient, group_of(e->maps, g) + c * out_plane(b), rest, sums);
        for (int l = 0; l < LANES; l++) {
            x->scale_gradient[c] += sums[0][l];
            x->shift_gradient[c] += sums[1][l];
        }
    }
}

#endif
