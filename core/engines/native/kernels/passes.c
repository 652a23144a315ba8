/* The passes over a segment, which Python calls; the one file that is compiled. */

#include "convolution.h"
#include "exchange.h"
#include "norm.h"
#include "pooling.h"
#include "team.h"
#include "transition.h"
#include "types.h"
#include "weight_gradient.h"

/* ---- What Python asks before it calls ---- */

typedef struct {
    const char *structure, *field;
    int64_t offset, size;
} FieldDescription;

/* All fields of the structs that Python fills in, after each struct its size as that of a field without a name. */
#define DESCRIBE(structure, type, name) {#structure, #name, offsetof(structure, name), sizeof(type)},
#define DESCRIBE_TRAVERSAL(type, name) DESCRIBE(Traversal, type, name)
#define DESCRIBE_MAPS(type, name) DESCRIBE(Maps, type, name)
#define DESCRIBE_TRANSITION(type, name) DESCRIBE(Transition, type, name)
#define DESCRIBE_BLOCK(type, name) DESCRIBE(Block, type, name)
#define DESCRIBE_WORKSPACE(type, name) DESCRIBE(Workspace, type, name)
const FieldDescription *field_descriptions(void) {
    static const FieldDescription descriptions[] = {
        TRAVERSAL_FIELDS(DESCRIBE_TRAVERSAL){"Traversal", "", 0, sizeof(Traversal)},
        MAPS_FIELDS(DESCRIBE_MAPS){"Maps", "", 0, sizeof(Maps)},
        TRANSITION_FIELDS(DESCRIBE_TRANSITION){"Transition", "", 0, sizeof(Transition)},
        BLOCK_FIELDS(DESCRIBE_BLOCK){"Block", "", 0, sizeof(Block)},
        WORKSPACE_FIELDS(DESCRIBE_WORKSPACE){"Workspace", "", 0, sizeof(Workspace)},
        {0, 0, 0, 0},
    };
    return descriptions;
}

int lanes(void) { return LANES; }

/* Whether the raw output is not kept but computed again backward. For so few weights that takes less time than to fetch
   it from memory, and other blocks read only the pooled output. */
static int recomputes_raw(const Block *b) {
    return b->pooling && !b->copies && weights_per_output(b) <= 9 && groups_per_strip(b) == 1;
}

static int64_t zeros_size(const Block *b) { return b->in_columns + 2 * b->column_padding + 1 + LANES; }

/* Vectors of scratch that a thread needs for block k: forward three by output for statistics; backward the gradient of
   the raw output, the sums of products, by tap and of the transition, and a row of zeros; either way the raw output that
   is not kept, and the transformed input; and what a transition needs, this block's or that of the block before. */
int64_t scratch_vectors(const Block *blocks, int64_t k) {
    const Block *b = blocks + k;
    int64_t forward = 3 * b->outputs, raw = recomputes_raw(b) ? raw_size(b) : 0, groups = groups_per_strip(b);
    int64_t sums = products_size(b) + tap_sums_size(b) + transition_sums_size(b);
    int64_t backward = groups * raw_size(b) + sums + zeros_size(b);
    int64_t input = b->transformed ? groups * in_size(b) + transition_scratch(b - 1) : 0;
    return (forward > backward ? forward : backward) + raw + input + transition_scratch(b);
}

/* Doubles that `partial_sums` needs. */
int64_t partial_sums_size(const Block *b, int64_t groups, int64_t chunks) {
    int64_t forward = 2 * groups * b->outputs, backward = chunks * chunk_sums_size(b);
    return forward > backward ? forward : backward;
}

/* ---- The order of groups ---- */

/* The first of the `count` groups that come after `n` others. Every other block goes through the groups backwards: it
   begins with those that the block before it ended with, which are still in the cache. */
INLINE int64_t visited(int64_t block, int64_t n, int64_t count, const Workspace *work) {
    return block % 2 ? groups_of(work) - count - n : n;
}

/* ---- Forward ---- */

static Maps input_of(const Block *blocks, int64_t k, const Workspace *work) {
    return k ? blocks[k - 1].out : work->input;
}

/* The block whose norm is folded into the weights of block k, or none. */
static Block *normed_before(Block *blocks, int64_t k) {
    return k && blocks[k - 1].norm && !blocks[k].transformed ? blocks + k - 1 : 0;
}

/* A block in a pass. */
typedef struct {
    const Workspace *work;
    const Block *block;
    int64_t number;
    Maps input, gradient; /* of the block's input; of its output */
    int wants_tap_sums, wants_input_gradient;
} BlockPass;

/* A pivot, and the sums of value - pivot and of its square, by channel, of a raw output that no convolution made. */
static void measure(const Block *b, const Vector *raw, Vector *statistics) {
    for (int64_t c = 0; c < b->outputs; c++, raw += raw_plane(b), statistics += 3) {
        Vector total = {0}, squares = {0};
        for (int64_t p = 0; p < b->rows * b->columns; p++) {
            Vector v = raw[p] - raw[0];
            total += v;
            squares += v * v;
        }
        statistics[0] = raw[0], statistics[1] = total, statistics[2] = squares;
    }
}

static void forward_group(const void *context, int64_t part, Vector *scratch) {
    const BlockPass *pass = context;
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int measured = b->norm && work->training;
    int64_t g = visited(pass->number, part, 1, work);
    Epilogue end = {b->class_bias, (int)b->relu, measured ? scratch : 0};
    Vector *raw_again = scratch + 3 * b->outputs, *transformed = raw_again + (recomputes_raw(b) ? raw_size(b) : 0);
    Maps raw = recomputes_raw(b) ? (Maps){raw_again, 0} : from_group(b->raw, g), input = from_group(pass->input, g);
    if (b->transformed) {
        const Block *before = b - 1;
        if (before->transition.kept) gather_kept(before, work, g);
        input = (Maps){b->copies ? raw.vectors : transformed, 0};
        transform(before, work, g, input.vectors, transformed + in_size(b));
    }
    if (b->copies && !b->transformed) memcpy(raw.vectors, input.vectors, (size_t)in_size(b) * sizeof(Vector));
    if (!b->copies) convolve(b, 0, 1, input, raw, &end);
    else if (measured) measure(b, raw.vectors, scratch);
    if (measured) group_statistics(b, scratch, lanes_used(work, g), b->partial_sums + 2 * g * b->outputs);
    if (b->pooling) pool(b, raw.vectors, group_of(b->out, g));
}

/* What the transition of a segment's last block makes of its output, where gradients come to lie later. */
static void transform_group(const void *context, int64_t g, Vector *scratch) {
    const BlockPass *pass = context;
    if (pass->block->transition.kept) gather_kept(pass->block, pass->work, g);
    transform(pass->block, pass->work, g, group_of(pass->work->gradient, g), scratch);
}

/* `ends_transformed`: whether the output is what the last block's transition makes; it comes to lie in the workspace's
   `gradient` then. */
void forward(Block *blocks, int64_t count, const Workspace *work, int64_t ends_transformed) {
    for (int64_t k = 0; k < count; k++) {
        Block *b = blocks + k;
        const Block *before = normed_before(blocks, k);
        BlockPass pass = {work, b, k, input_of(blocks, k, work), {0, 0}, 0, 0};
        if (!b->copies) {
            pack(b, before ? before->scale : 0, 0);
            pack_bias(b, before ? before->shift : 0);
        }
        in_parallel(work, groups_of(work), forward_group, &pass);
        if (b->norm) norm_forward(b, work);
    }
    BlockPass end = {.work = work, .block = blocks + count - 1};
    if (ends_transformed) in_parallel(work, groups_of(work), transform_group, &end);
}

/* ---- Backward ---- */

/* From the gradient of a block's raw output to that of its input, of a group and those that share its strip. */
static void input_gradient(const BlockPass *pass, int64_t group, int groups, Maps g, Maps input, Vector *scratch,
                           Vector *sums) {
    const Block *b = pass->block, *before = b - 1;
    const Epilogue plain = {0, 0, 0};
    if (!b->transformed) {
        Maps into = from_group(b->raw, group);
        if (!b->copies) convolve(b, 1, groups, g, into, &plain);
        for (int i = 0; b->copies && i < groups; i++)
            memcpy(group_of(into, i), group_of(g, i), (size_t)in_size(b) * sizeof(Vector));
        return;
    }
    if (!b->copies) convolve(b, 1, groups, g, input, &plain); /* whose values are needed no longer */
    for (int i = 0; i < groups; i++)
        for (int64_t c = 0; c < b->inputs; c++)
            transform_channel_backward(before, pass->work, group + i, c,
                                       group_of(b->copies ? g : input, i) + c * in_plane(b),
                                       group_of(b->raw, group + i) + c * out_plane(before), scratch, sums + 2 * c);
}

/* A chunk of the groups: the sums for the gradients of parameters, and the gradient of the block's input. */
static void backward_chunk(const void *context, int64_t chunk, Vector *scratch) {
    const BlockPass *pass = context;
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int rows_each = larger(1, STRIP_PIXELS / (int)b->columns);
    if (b->pooling) rows_each = larger(1, rows_each / (int)b->window_rows) * (int)b->window_rows;
    Maps g = {scratch, raw_size(b)};
    Vector *products = group_of(g, groups_per_strip(b)), *tap_sums = products + products_size(b);
    Vector *transition_sums = tap_sums + tap_sums_size(b), *zeros = transition_sums + transition_sums_size(b);
    Vector *raw_again = zeros + zeros_size(b);
    Maps transformed = {raw_again + (recomputes_raw(b) ? raw_size(b) : 0), in_size(b)};
    Vector *rest = group_of(transformed, groups_per_strip(b));
    memset(tap_sums, 0, (size_t)(zeros + zeros_size(b) - tap_sums) * sizeof(Vector));
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
        for (int y = 0; y < b->rows; y += rows_each) {
            int stop = smaller((int)b->rows, y + rows_each);
            for (int i = 0; i < groups; i++) {
                const Vector *out = group_of(b->out, group + i), *back = group_of(pass->gradient, group + i);
                output_gradient(b, group_of(raw, i), out, lanes_used(work, group + i), back, y, stop, group_of(g, i),
                                tap_sums);
                if (pass->wants_tap_sums) add_tap_sums(b, group_of(g, i), y, stop, tap_sums);
            }
            Strip strip = {groups, y, stop, !y && n == start, g.vectors, input, zeros + b->column_padding};
            if (!b->copies) weight_products(b, &strip, products);
        }
        if (pass->wants_input_gradient) input_gradient(pass, group, groups, g, transformed, rest, transition_sums);
    }
    int64_t size = chunk_sums_size(b) / LANES;
    for (int64_t i = 0; i < size; i++) ((Vector *)b->partial_sums)[chunk * size + i] = lane_sums(products + i * LANES);
}

/* From the gradient of the segment's output, as images of any strides. That of its input comes to lie where the raw
   output of the first block was, if it is wanted. The last two have room for one number a channel of any block. */
void backward(Block *blocks, int64_t count, const Workspace *work, const Real *images, const int64_t *strides,
              int64_t wanted, double *scale_gradient, double *shift_gradient, int64_t ends_transformed) {
    Block *end = blocks + count - 1;
    GradientExchange exchange = {
        {work, work->gradient, images, 0, strides, end->outputs, final_rows(end), final_columns(end), 0, 0},
        end,
        scale_gradient,
        shift_gradient,
    };
    output_gradient_of_images(&exchange, ends_transformed);
    for (int64_t k = count - 1; k >= 0; k--) {
        Block *b = blocks + k, *before = normed_before(blocks, k);
        Maps gradient = k + 1 < count ? b[1].raw : work->gradient;
        BlockPass pass = {work, b, k, input_of(blocks, k, work), gradient, pads(b) && before, k || wanted};
        if (b->norm) norm_backward(b, work, scale_gradient, shift_gradient);
        if (pass.wants_input_gradient && !b->copies) pack(b, before ? before->scale : 0, 1);
        in_parallel(work, b->chunks, backward_chunk, &pass);
        Collection collection = {work, b, before ? before->scale : 0, before ? before->shift : 0, scale_gradient,
                                 shift_gradient};
        collect_gradients(&collection);
    }
}
