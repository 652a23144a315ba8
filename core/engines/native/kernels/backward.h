/* The way back through a block: from the gradient of its output to those of its weights and its input. */

#ifndef BACKWARD_H
#define BACKWARD_H

#include "block_pass.h"
#include "depthwise.h"
#include "transition.h"

/* From the gradient of a block's raw output to that of its input, of a group and those that share its strip. Where that
   is `done` but for a transition, it lies in `input` before it. */
static void input_gradient(const BlockPass *pass, int64_t group, int groups, Maps g, int done, Maps input,
                           Vector *scratch, Vector *sums) {
    const Block *b = pass->block, *before = b - 1;
    const Epilogue plain = {0, 0, 0};
    if (!b->transformed) {
        Maps into = from_group(b->raw, group);
        if (!b->copies && !done) convolve(b, 1, groups, g, into, &plain);
        for (int i = 0; b->copies && i < groups; i++)
            memcpy(group_of(into, i), group_of(g, i), (size_t)in_size(b) * sizeof(Vector));
        return;
    }
    if (!b->copies && !done) convolve(b, 1, groups, g, input, &plain); /* whose values are needed no longer */
    for (int i = 0; i < groups; i++)
        for (int64_t c = 0; c < b->inputs; c++)
            transform_channel_backward(before, pass->work, group + i, c,
                                       group_of(b->copies ? g : input, i) + c * in_plane(b),
                                       group_of(b->raw, group + i) + c * out_plane(before), scratch, sums + 2 * c);
}

/* What is asked for of the sums of a group's gradient in a strip, but for the totals that output_gradient adds. */
static void add_sums_of_gradient(const BlockPass *pass, const Strip *strip, int group, Vector *tap_sums) {
    const Block *b = pass->block;
    int64_t each = taps_of(b) + 1;
    for (int64_t c = 0; c < b->outputs; c++) {
        const Vector *gradient = group_of(strip->gradient, group) + c * strip->plane;
        if (pass->wants_totals && passes_gradient(b))
            tap_sums[(c + 1) * each - 1] += strip_total(b, gradient, strip->last - strip->first);
        if (pass->wants_tap_sums) add_tap_sums(b, gradient, strip->first, strip->last, tap_sums + c * each);
    }
}

/* The gradient of the input from a strip of that of the raw output of a pointwise convolution. It may be written over
   what the strip is made from, all of which has been read. */
static void strip_input_gradient(const Block *b, const Strip *strip, const int32_t *offset, Maps into) {
    const Epilogue plain = {0, 0, 0};
    const Traversal *all = &b->backward;
    int64_t start = strip->first * b->columns;
    int32_t pixels[2] = {0, (int32_t)((strip->last - strip->first) * b->columns)}, runs[2] = {0, (int32_t)b->outputs};
    Traversal order = {1, pixels, runs, all->run_length, all->weight, offset, all->reads, all->writes + start};
    MapPair maps = {strip->groups, strip->gradient, into, strip->plane, in_plane(b)};
    traverse(&order, &maps, b->packed_backward, (int)b->outputs, (int)b->inputs, &plain);
}

/* Whether the gradient of a raw output goes on to weights and input channel by channel. */
static int goes_by_channel(const Block *b) {
    return has_depthwise_map(b) && passes_gradient(b) && groups_per_strip(b) == 1;
}

/* A group of such a block: each channel stays in the cache for all that is made of it. */
static void depthwise_group(const BlockPass *pass, const Strip *whole, Vector *products, Vector *tap_sums,
                            Vector *into) {
    const Block *b = pass->block;
    int rows_each = strip_rows(b);
    for (int64_t c = 0; c < b->outputs; c++) {
        const Vector *gradient = whole->gradient.vectors + c * whole->plane;
        const Vector *x = whole->input.vectors + c * in_plane(b);
        Vector *sums = tap_sums + c * (ROWS * ROWS + 1);
        for (int y = 0, stop; y < b->rows; y = stop) {
            const Vector *here = gradient + y * b->columns;
            stop = smaller((int)b->rows, y + rows_each);
            int starts_sums = !y && whole->starts_sums;
            depthwise_strip(b, gradient, x, whole->zeros, y, stop, starts_sums, products + c * ROWS * ROWS);
            if (pass->wants_totals) sums[ROWS * ROWS] += strip_total(b, here, stop - y);
            if (pass->wants_tap_sums) add_tap_sums(b, here, y, stop, sums);
        }
        if (pass->wants_input_gradient) depthwise_map(b, 1, c, gradient, into + c * in_plane(b));
    }
}

/* A chunk of the groups: the sums for the gradients of parameters, and the gradient of the block's input. */
static void backward_chunk(const BlockPass *pass, int64_t chunk, Vector *scratch) {
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int rows_each = strip_rows(b), passes = passes_gradient(b);
    int pointwise = is_pointwise(b), by_channel = goes_by_channel(b);
    Maps g = {scratch, gradient_size(b)};
    int64_t plane = gradient_plane(b);
    Vector *products = group_of(g, groups_per_strip(b)), *tap_sums = products + products_size(b);
    Vector *transition_sums = tap_sums + tap_sums_size(b), *zeros = transition_sums + transition_sums_size(b);
    int32_t *offset = (int32_t *)(zeros + zeros_size(b));
    Vector *raw_again = zeros + zeros_size(b) + offsets_size(b);
    Maps transformed = {raw_again + (recomputes_raw(b) ? raw_size(b) : 0), in_size(b)};
    Vector *rest = group_of(transformed, groups_per_strip(b));
    memset(tap_sums, 0, (size_t)(zeros + zeros_size(b) - tap_sums) * sizeof(Vector));
    for (int64_t c = 0; pointwise && c < b->outputs; c++) offset[c] = (int32_t)(c * plane);
    int start = b->first_group[chunk], last = b->first_group[chunk + 1];
    for (int n = start, groups; n < last; n += groups) {
        groups = smaller((int)groups_per_strip(b), last - n);
        int64_t group = visited(pass->number, n, groups, work);
        Maps raw = from_group(b->raw, group), input = from_group(pass->input, group);
        if (b->transformed && !b->copies) {
            for (int i = 0; i < groups; i++) transform(b - 1, work, group + i, group_of(transformed, i), rest);
            input = transformed;
        }
        if (recomputes_raw(b)) {
            const Epilogue end = {b->class_bias, (int)b->relu, 0};
            raw.vectors = raw_again;
            convolve(b, 0, 1, input, raw, &end);
        }
        if (passes) g = from_group(pass->gradient, group);
        Maps into = b->transformed ? transformed : from_group(b->raw, group);
        if (by_channel) {
            Strip whole = {1, 0, (int)b->rows, n == start, g, plane, input, zeros + b->column_padding};
            depthwise_group(pass, &whole, products, tap_sums, into.vectors);
        }
        for (int y = 0; !by_channel && y < b->rows; y += rows_each) {
            int stop = smaller((int)b->rows, y + rows_each);
            Maps here = {g.vectors + (pointwise ? 0 : y * b->columns), g.size};
            Strip strip = {groups, y, stop, !y && n == start, here, plane, input, zeros + b->column_padding};
            for (int i = 0; i < groups; i++) {
                const Vector *out = group_of(b->out, group + i), *back = group_of(pass->gradient, group + i);
                if (!passes)
                    output_gradient(b, group_of(raw, i), out, lanes_used(work, group + i), back, y, stop,
                                    group_of(here, i), plane, tap_sums);
                add_sums_of_gradient(pass, &strip, i, tap_sums);
            }
            if (!b->copies) weight_products(b, &strip, products);
            if (pointwise && pass->wants_input_gradient)
                strip_input_gradient(b, &strip, offset, into);
        }
        if (pass->wants_input_gradient)
            input_gradient(pass, group, groups, g, pointwise || by_channel, transformed, rest, transition_sums);
    }
    int64_t size = chunk_sums_size(b) / LANES;
    for (int64_t i = 0; i < size; i++) ((Vector *)b->partial_sums)[chunk * size + i] = lane_sums(products + i * LANES);
}

/* Whether chunk n of a block holds the groups of chunk n of the other, or of chunk n from the end where one of them
   goes through the groups backwards. */
static int shares_chunks(const Block *b, const Block *other, int backwards) {
    int same = b->chunks == other->chunks;
    int32_t groups = b->first_group[b->chunks];
    for (int64_t n = 0; same && n <= b->chunks; n++)
        same = b->first_group[n] == (backwards ? groups - other->first_group[b->chunks - n] : other->first_group[n]);
    return same;
}

static void backward_chain(const void *context, int64_t part, Vector *scratch) {
    const Chain *chain = context;
    const BlockPass *first = chain->passes;
    for (const BlockPass *pass = first; pass < first + chain->count; pass++) {
        int backwards = (pass->number - first->number) % 2 != 0;
        backward_chunk(pass, backwards ? first->block->chunks - 1 - part : part, scratch);
    }
}

#endif
