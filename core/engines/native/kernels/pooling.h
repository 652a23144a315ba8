/* Pooling of windows side by side, and the way of a gradient from the pooled output to the raw one. */

#ifndef POOLING_H
#define POOLING_H

#include "norm.h"

/* The raw value of a window that is the maximum once it is normalised. The norm keeps the order where gamma is positive
   and reverses it where gamma is negative; where gamma is 0 all values become equal, and the first is taken. What is
   not a number stays. */
INLINE Vector window_maximum(const int rows, const int columns, int64_t width, Real gamma, const Vector *at) {
    Vector best = *at;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            Vector v = at[i * width + j];
            Mask better = (gamma > 0 ? (Mask)(v > best) : gamma < 0 ? (Mask)(v < best) : (Mask){0}) | (Mask)(v != v);
            best = masked(better, v) + masked(~better, best);
        }
    return best;
}

INLINE Vector window_mean(const int rows, const int columns, int64_t width, const Vector *at) {
    Vector sum = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) sum += at[i * width + j];
    return sum / (Real)(rows * columns);
}

static void pool(const Block *b, const Vector *raw, Vector *out) {
    int64_t width = b->columns, rows = out_rows(b), columns = out_columns(b);
    int high = (int)b->window_rows, wide = (int)b->window_columns;
    for (int64_t c = 0; c < b->outputs; c++) {
        Real gamma = b->gamma ? b->gamma[c] : 1;
        for (int64_t y = 0; y < rows; y++) {
            const Vector *at = raw + c * raw_plane(b) + y * high * width;
            Vector *into = out + c * plane_size(rows, columns) + y * columns;
            for (int64_t x = 0; x < columns; x++, at += wide, into++)
                if (b->pooling == MEAN_POOLING) *into = window_mean(high, wide, width, at);
                else if (high == 2 && wide == 2) *into = window_maximum(2, 2, width, gamma, at);
                else *into = window_maximum(high, wide, width, gamma, at);
        }
    }
}

/* The gradients of a window's raw values, and their sum. That of the pooled value goes to the first value that equals a
   maximum, or in equal parts to those of a mean. */
INLINE Vector unpool(const int rows, const int columns, const Block *b, const RawSlope *slope, const Vector *raw,
                     Vector pooled, Vector gradient, Vector *into) {
    Vector part = gradient / (Real)(rows * columns), total = {0};
    Mask before = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            Vector r = raw[i * b->columns + j];
            Mask hit = (Mask)(r == pooled) & ~before;
            before |= hit;
            Vector back = b->pooling == MAX_POOLING ? masked(hit, gradient) : part;
            total += into[i * b->columns + j] = raw_gradient(slope, r, back);
        }
    return total;
}

/* The gradient of one channel's raw output from that of the block's output, in rows first..last, and its sum. The rows
   are those of whole windows, or reach the end of the map; `into` begins with the first of them. */
static Vector channel_gradient(const Block *b, const RawSlope *slope, const Vector *raw, const Vector *out,
                               const Vector *gradient, int first, int last, Vector *into) {
    int64_t width = b->columns, windows = b->pooling ? out_columns(b) : 0, plane = raw_plane(b), start = first * width;
    Vector total = {0};
    int y = first;
    for (; b->pooling && y + b->window_rows <= last; y += (int)b->window_rows) {
        int64_t from = y * width, window = y / b->window_rows * windows;
        for (int64_t x = 0; x < windows; x++, window++, from += b->window_columns) {
            __builtin_prefetch(raw + from + plane); /* the next channel's, which lies too far for the processor */
            __builtin_prefetch(raw + from + plane + width);
            Vector pooled = out[window], back = gradient[window];
            if (b->window_rows == 2 && b->window_columns == 2)
                total += unpool(2, 2, b, slope, raw + from, pooled, back, into + from - start);
            else
                total += unpool((int)b->window_rows, (int)b->window_columns, b, slope, raw + from, pooled, back,
                                into + from - start);
        }
        for (int i = 0; i < b->window_rows; i++) /* columns of no window */
            for (int64_t p = (y + i) * width + windows * b->window_columns; p < (y + i + 1) * width; p++)
                total += into[p - start] = raw_gradient(slope, raw[p], (Vector){0});
    }
    for (int64_t p = y * width; p < last * width; p++) { /* all rows, or those of no window */
        __builtin_prefetch(raw + p + plane);
        if (!b->pooling) __builtin_prefetch(gradient + p + plane);
        total += into[p - start] = raw_gradient(slope, raw[p], b->pooling ? (Vector){0} : gradient[p]);
    }
    return total;
}

/* Whether it is the gradient of the block's output, as nothing lies between. Lanes without an image are 0 in it. */
static int passes_gradient(const Block *b) { return !b->relu && !b->norm && !b->pooling; }

/* The same for all channels of a group with so many lanes in use, `into_plane` vectors apart. Each output's sum is
   added to the last of its sums by tap. */
static void output_gradient(const Block *b, const Vector *raw, const Vector *out, int lanes, const Vector *gradient,
                            int first, int last, Vector *into, int64_t into_plane, Vector *tap_sums) {
    int64_t plane = raw_plane(b), pooled_plane = out_plane(b);
    RawSlope slope = {0, 0, (int)b->relu, first_lanes(lanes)};
    for (int64_t c = 0; c < b->outputs; c++) {
        if (b->norm) slope.add = (Real)b->statistics_add[c], slope.mul = (Real)b->statistics_mul[c];
        tap_sums[(c + 1) * (taps_of(b) + 1) - 1] +=
            channel_gradient(b, &slope, raw + c * plane, out + c * pooled_plane, gradient + c * pooled_plane, first,
                             last, into + c * into_plane);
    }
}

#endif
