/* The passes over a segment, which Python calls; the one file that is compiled. */

#include "convolution.h"
#include "norm.h"
#include "pooling.h"
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
#define DESCRIBE_BLOCK(type, name) DESCRIBE(Block, type, name)
#define DESCRIBE_WORKSPACE(type, name) DESCRIBE(Workspace, type, name)
const FieldDescription *field_descriptions(void) {
    static const FieldDescription descriptions[] = {
        TRAVERSAL_FIELDS(DESCRIBE_TRAVERSAL){"Traversal", "", 0, sizeof(Traversal)},
        MAPS_FIELDS(DESCRIBE_MAPS){"Maps", "", 0, sizeof(Maps)},
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
    return b->pooling && weights_per_output(b) <= 9 && groups_per_strip(b) == 1;
}

static int64_t zeros_size(const Block *b) { return b->in_columns + 2 * b->padding + 1 + LANES; }

/* Vectors of scratch that a thread needs: forward three by output for statistics; backward the gradient of the raw
   output, the sums of products and by tap, and a row of zeros; and either way the raw output that is not kept. */
int64_t scratch_vectors(const Block *b) {
    int64_t forward = 3 * b->outputs, raw = recomputes_raw(b) ? raw_size(b) : 0;
    int64_t backward = groups_per_strip(b) * raw_size(b) + products_size(b) + tap_sums_size(b) + zeros_size(b);
    return (forward > backward ? forward : backward) + raw;
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

/* ---- Images to groups and back ---- */

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

/* ---- Forward ---- */

static Maps input_of(const Block *blocks, int64_t k, const Workspace *work) {
    return k ? blocks[k - 1].out : work->input;
}

/* The block whose norm is folded into the weights of block k, or none. */
static Block *normed_before(Block *blocks, int64_t k) { return k && blocks[k - 1].norm ? blocks + k - 1 : 0; }

/* A block in a pass. */
typedef struct {
    const Workspace *work;
    const Block *block;
    int64_t number;
    Maps input, gradient; /* of the block's input; of its output */
    int wants_tap_sums, wants_input_gradient;
} BlockPass;

static void forward_group(const void *context, int64_t part, Vector *scratch) {
    const BlockPass *pass = context;
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int measured = b->norm && work->training;
    int64_t g = visited(pass->number, part, 1, work);
    Epilogue end = {b->class_bias, (int)b->relu, measured ? scratch : 0};
    Maps raw = recomputes_raw(b) ? (Maps){scratch + 3 * b->outputs, 0} : from_group(b->raw, g);
    convolve(b, 0, 1, from_group(pass->input, g), raw, &end);
    if (measured) group_statistics(b, scratch, lanes_used(work, g), b->partial_sums + 2 * g * b->outputs);
    if (b->pooling) pool(b, raw.vectors, group_of(b->out, g));
}

void forward(Block *blocks, int64_t count, const Workspace *work) {
    for (int64_t k = 0; k < count; k++) {
        Block *b = blocks + k;
        const Block *before = normed_before(blocks, k);
        BlockPass pass = {work, b, k, input_of(blocks, k, work), {0, 0}, 0, 0};
        pack(b, before ? before->scale : 0, 0);
        pack_bias(b, before ? before->shift : 0);
        in_parallel(work, groups_of(work), forward_group, &pass);
        if (b->norm) norm_forward(b, work);
    }
}

/* ---- Backward ---- */

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

/* A chunk of the groups: the sums for the gradients of parameters, and the gradient of the block's input. */
static void backward_chunk(const void *context, int64_t chunk, Vector *scratch) {
    const BlockPass *pass = context;
    const Block *b = pass->block;
    const Workspace *work = pass->work;
    int rows_each = larger(1, STRIP_PIXELS / (int)b->columns);
    if (b->pooling) rows_each = larger(1, rows_each / (int)b->window_rows) * (int)b->window_rows;
    Maps g = {scratch, raw_size(b)};
    Vector *products = group_of(g, groups_per_strip(b)), *tap_sums = products + products_size(b);
    Vector *zeros = tap_sums + tap_sums_size(b), *raw_again = zeros + zeros_size(b);
    memset(tap_sums, 0, (size_t)(tap_sums_size(b) + zeros_size(b)) * sizeof(Vector));
    int start = b->first_group[chunk], last = b->first_group[chunk + 1];
    for (int n = start, groups; n < last; n += groups) {
        groups = smaller((int)groups_per_strip(b), last - n);
        int64_t group = visited(pass->number, n, groups, work);
        Maps raw = from_group(b->raw, group), input = from_group(pass->input, group);
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
            Strip strip = {groups, y, stop, !y && n == start, g.vectors, input, zeros + b->padding};
            weight_products(b, &strip, products);
        }
        if (pass->wants_input_gradient) {
            const Epilogue plain = {0, 0, 0};
            convolve(b, 1, groups, g, from_group(b->raw, group), &plain);
        }
    }
    int64_t size = chunk_sums_size(b) / LANES;
    for (int64_t i = 0; i < size; i++) ((Vector *)b->partial_sums)[chunk * size + i] = lane_sums(products + i * LANES);
}

/* From the gradient of the segment's output, as images of any strides. That of its input comes to lie where the raw
   output of the first block was, if it is wanted. The last two have room for one number a channel of any block. */
void backward(Block *blocks, int64_t count, const Workspace *work, const Real *images, const int64_t *strides,
              int64_t wanted, double *scale_gradient, double *shift_gradient) {
    Block *end = blocks + count - 1;
    GradientExchange exchange = {
        {work, work->gradient, images, 0, strides, end->outputs, out_rows(end), out_columns(end), 0, 0},
        end,
        scale_gradient,
        shift_gradient,
    };
    in_parallel(work, end->outputs, read_gradient_channel, &exchange);
    for (int64_t k = count - 1; k >= 0; k--) {
        Block *b = blocks + k, *before = normed_before(blocks, k);
        Maps gradient = k + 1 < count ? b[1].raw : work->gradient;
        BlockPass pass = {work, b, k, input_of(blocks, k, work), gradient, b->padding && before, k || wanted};
        if (b->norm) norm_backward(b, work, scale_gradient, shift_gradient);
        if (pass.wants_input_gradient) pack(b, before ? before->scale : 0, 1);
        in_parallel(work, b->chunks, backward_chunk, &pass);
        Collection collection = {work, b, before ? before->scale : 0, before ? before->shift : 0, scale_gradient,
                                 shift_gradient};
        collect_gradients(&collection);
    }
}
