/* The passes over a segment, which Python calls; the one file that is compiled. */

#include "backward.h"
#include "convolution.h"
#include "exchange.h"
#include "generator.h"
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

/* Vectors of scratch that a thread needs for block k: forward three by output for statistics; backward the gradient of
   the raw output, the sums of products, by tap and of the transition, and a row of zeros; either way the raw output that
   is not kept, and the transformed input; and what a transition needs, this block's or that of the block before. */
int64_t scratch_vectors(const Block *blocks, int64_t k) {
    const Block *b = blocks + k;
    int64_t forward = 3 * b->outputs, raw = recomputes_raw(b) ? raw_size(b) : 0, groups = groups_per_strip(b);
    int64_t sums = products_size(b) + tap_sums_size(b) + transition_sums_size(b);
    int64_t backward = groups * gradient_size(b) + sums + zeros_size(b) + offsets_size(b);
    int64_t input = b->transformed ? groups * in_size(b) + transition_scratch(b - 1) : 0;
    return (forward > backward ? forward : backward) + raw + input + transition_scratch(b);
}

/* Doubles that `partial_sums` needs. */
int64_t partial_sums_size(const Block *b, int64_t groups, int64_t chunks) {
    int64_t forward = 2 * groups * b->outputs, backward = chunks * chunk_sums_size(b);
    return forward > backward ? forward : backward;
}

/* ---- Forward ---- */

static Maps input_of(const Block *blocks, int64_t k, const Workspace *work) {
    return k ? blocks[k - 1].out : work->input;
}

/* The block whose norm is folded into the weights of block k, or none. */
static Block *normed_before(Block *blocks, int64_t k) {
    return k && blocks[k - 1].norm && !blocks[k].transformed ? blocks + k - 1 : 0;
}

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

static void forward_group(const BlockPass *pass, int64_t g, Vector *scratch) {
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int measured = b->norm && work->training;
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

static void forward_chain(const void *context, int64_t part, Vector *scratch) {
    const Chain *chain = context;
    int64_t g = visited(chain->passes->number, part, 1, chain->passes->work);
    for (int64_t k = 0; k < chain->count; k++) forward_group(chain->passes + k, g, scratch);
}

/* `ends_transformed`: whether the output is what the last block's transition makes; it comes to lie in the workspace's
   `gradient` then. */
void forward(Block *blocks, int64_t count, const Workspace *work, int64_t ends_transformed) {
    for (int64_t k = 0, number = 0; k < count; number++) {
        BlockPass passes[count - k];
        Chain chain = {passes, 0};
        for (int waits = 0; k < count && !waits; k++) {
            Block *b = blocks + k;
            const Block *before = normed_before(blocks, k);
            passes[chain.count++] = (BlockPass){work, b, number, input_of(blocks, k, work), {0, 0}, 0, 0, 0};
            if (!b->copies) {
                pack(b, before ? before->scale : 0, 0);
                pack_bias(b, before ? before->shift : 0);
            }
            waits = b->norm && work->training;
            if (b->norm && !waits) norm_forward(b, work);
        }
        in_parallel(work, groups_of(work), forward_chain, &chain);
        if (blocks[k - 1].norm && work->training) norm_forward(blocks + k - 1, work);
    }
    BlockPass end = {.work = work, .block = blocks + count - 1};
    if (ends_transformed) in_parallel(work, groups_of(work), transform_group, &end);
}

/* ---- Backward ---- */

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
    for (int64_t k = count - 1; k >= 0;) {
        BlockPass passes[k + 1];
        Chain chain = {passes, 0};
        if (blocks[k].norm) norm_backward(blocks + k, work, scale_gradient, shift_gradient);
        int64_t first = k;
        for (int goes_on = 1; goes_on; k--) {
            Block *b = blocks + k, *before = normed_before(blocks, k);
            Maps gradient = k + 1 < count ? b[1].raw : work->gradient;
            passes[chain.count++] = (BlockPass){work, b, k, input_of(blocks, k, work), gradient, pads(b) && before,
                                                b->bias_gradient || (before && !pads(b)), k || wanted};
            if ((k || wanted) && !b->copies) pack(b, before ? before->scale : 0, 1);
            goes_on = k && !b[-1].norm && shares_chunks(blocks + first, b - 1, (first - k + 1) % 2 != 0);
        }
        in_parallel(work, blocks[first].chunks, backward_chain, &chain);
        for (const BlockPass *pass = passes; pass < passes + chain.count; pass++) {
            const Block *before = normed_before(blocks, pass->number);
            Collection collection = {work, pass->block, before ? before->scale : 0, before ? before->shift : 0,
                                     scale_gradient, shift_gradient};
            collect_gradients(&collection);
        }
    }
}
