/* Training of convolutional networks on a CPU, for core/fused.py, which says what a segment and a block are.

   A vector holds one pixel of one channel of as many images as fit, so that vectors are full whatever the size of a
   map, and nothing is ever shifted within one. Such a group of images is worked on by one thread; a tensor is
   [group][channel][row][column] of vectors. Lanes without an image, in the last group, are computed and left out of
   every sum.

   A block is a convolution, and where it has them a ReLU, a batch norm and a pooling. Its output is stored raw, before
   the norm; raw * scale + shift, by channel, is what it stands for. The next block puts the scale into its weights and
   the shift into its bias, so that no pass over the maps is spent on a norm, neither forward nor backward:

     weights' gradient    sum(g x) = scale sum(g raw) + shift sum(g)    g the gradient of the convolution's output
     scale's gradient     sum over outputs and taps of w sum(g raw)
     shift's gradient     sum over outputs and taps of w sum(g)

   Mean and variance are functions of the raw output, whose gradient gets add + mul * raw from them (Ioffe and Szegedy,
   "Batch Normalization", 2015, section 3). A scale only orders a window's values or turns their order round, so that
   pooling takes raw values too.

   Sums over pixels are of type REAL, lane by lane, for weights over a share of the images, and so are those over lanes
   and shares; those over groups and channels, of few terms, are double. */

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#define WIDE 8 /* channels of a tile: with 3 pixels, 24 of 32 registers hold sums */
#elif defined(__AVX__)
#define BYTES 32
#define WIDE 4
#elif defined(__aarch64__)
#define BYTES 16
#define WIDE 8
#else
#define BYTES 16
#define WIDE 4
#endif

#define LANES ((int)(BYTES / sizeof(REAL)))
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

typedef REAL V __attribute__((vector_size(BYTES)));
typedef __typeof__(__builtin_choose_expr(sizeof(REAL) == 4, (int32_t)0, (int64_t)0)) Whole;
typedef Whole M __attribute__((vector_size(BYTES))); /* what a comparison gives: all bits of a lane, or none */

/* What a pass over a map does: the pixels of a class all have the same taps, through all channels that are read. Taps
   come in runs, which follow each other in the kernel and read values side by side. Offsets are in vectors. */
typedef struct {
    int64_t classes;
    const int32_t *first_pixel, *first_run; /* of each class, and the end */
    const int32_t *length;                  /* of each class: taps in a run */
    const int32_t *weight, *offset;         /* of each run: an output's first weight, where it reads beside `from` */
    const int32_t *from, *to;               /* of each pixel: where its first tap reads, where it is written */
} Sweep;

/* Maps of all groups, each of so many vectors. */
typedef struct {
    V *vectors;
    int64_t size;
} Maps;

typedef struct {
    int64_t inputs, outputs, in_rows, in_columns, rows, columns; /* before and after the convolution */
    int64_t kernel_rows, kernel_columns, stride, padding, dilation, depthwise, relu, norm;
    int64_t pooling, window_rows, window_columns; /* 0 none, 1 maximum, 2 mean */
    Sweep forward, backward;
    const int32_t *stream_plane, *stream_row, *stream_column; /* of each weight of an output: what it multiplies */
    int64_t weight_strides[4];
    const REAL *weight, *bias, *gamma, *beta;
    REAL *running_mean, *running_variance;
    int64_t *batches; /* that these have taken in */
    REAL *weight_gradient, *bias_gradient, *gamma_gradient, *beta_gradient;
    double eps, momentum;
    Maps raw, out; /* `out` is `raw` where nothing is pooled; backward, its input's gradient is written over `raw` */
    REAL *packed, *packed_back, *class_bias;
    double *mean, *inverse, *scale, *shift, *add, *mul; /* by output */
    int64_t shares;             /* of the groups, whose sums are kept apart */
    const int32_t *first_group; /* of each share, and the end */
    double *found;              /* sums: by group and output, or, of type REAL, by share and weight */
} Block;

typedef struct {
    int64_t images, threads, training; /* whether norms take the batch's statistics, or else the running ones */
    int64_t scratch;                   /* vectors a thread */
    V *memory;
    Maps input, gradient; /* of the segment's input, and where the gradient of what it gives comes in */
} Work;

int lanes(void) { return LANES; }
int block_size(void) { return sizeof(Block); }
int work_size(void) { return sizeof(Work); }

INLINE int smaller(int a, int b) { return a < b ? a : b; }
INLINE int larger(int a, int b) { return a > b ? a : b; }
INLINE V *of_group(Maps maps, int64_t group) { return maps.vectors + group * maps.size; }
INLINE Maps from_group(Maps maps, int64_t group) { return (Maps){of_group(maps, group), maps.size}; }
INLINE V keep(M mask, V v) { return (V)((M)v & mask); }

/* Channels that a tile takes of those that are left. */
INLINE int tile_channels(int left) { return left >= WIDE ? WIDE : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/* From one channel of a map to the next: an odd number of vectors, or the channels' pixels would take each other's
   place in the cache. */
INLINE int64_t plane_of(int64_t rows, int64_t columns) { return rows * columns | 1; }

static int64_t g_size(const Block *b) { return b->outputs * plane_of(b->rows, b->columns); } /* a group's gradient */
static int64_t taps_of(const Block *b) { return b->kernel_rows * b->kernel_columns; }
static int streams_of(const Block *b) { return (int)(taps_of(b) * (b->depthwise ? 1 : b->inputs)); }
static int64_t out_rows(const Block *b) { return b->pooling ? b->rows / b->window_rows : b->rows; }
static int64_t out_columns(const Block *b) { return b->pooling ? b->columns / b->window_columns : b->columns; }
static int64_t groups_of(const Work *work) { return (work->images + LANES - 1) / LANES; }
static int valid_lanes(const Work *work, int64_t group) {
    return (int)(work->images - group * LANES < LANES ? work->images - group * LANES : LANES);
}

#define STRIP 48 /* pixels whose gradients are used for all weights before the next, so that they stay in the cache */

/* Groups whose maps are small enough for one strip. */
int64_t bundle(const Block *b) { return larger(1, (int)(STRIP / (b->rows * b->columns))); }

/* Whether the raw output is not kept, but made again backward, which for so few taps takes less time than to fetch it
   from memory: others read only what is pooled. */
static int is_made_again(const Block *b) { return b->pooling && streams_of(b) <= 9 && bundle(b) == 1; }

/* ---- Convolution, forward and back ---- */

#define MOST 24   /* sums of a tile */
#define PIXELS 12 /* taken through all channels before the next, while what they read is in the cache */

/* What becomes of a tile's sums. */
typedef struct {
    const REAL *bias; /* by channel, or none */
    int relu;
    V *statistics; /* by channel: a pivot, the sums of value - pivot and of its square; or none */
} End;

/* The sums of `channels` outputs at `pixels` places, from runs of `length` taps; where places are `near`, side by side,
   a run reads each value once. All four are constants where this is inlined. */
INLINE void tile(const int channels, const int pixels, const int length, const int near, const V *x, const REAL *w,
                 const int32_t *weight, const int32_t *offset, int runs, const int32_t *from, const int32_t *to, V *y,
                 int64_t y_plane, const End *end, int channel, int first) {
    V sum[MOST];
    const V *place[PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) place[p] = x + from[p];
    UNROLL for (int c = 0; c < channels; c++) {
        V start = (end->bias ? end->bias[channel + c] : 0) - (V){0}; /* not + 0, which is not nothing to -0 */
        UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] = start;
    }
    for (int run = 0; run < runs; run++) {
        const REAL *weights = w + weight[run] * channels;
        int64_t at = offset[run];
        V value[PIXELS];
        UNROLL for (int tap = 0; tap < length; tap++) {
            UNROLL for (int p = 0; p < pixels; p++) {
                if (!near) value[p] = place[p][at + tap];
                else value[p] = tap && p + 1 < pixels ? value[p + 1] : place[0][at + tap + p];
            }
            UNROLL for (int c = 0; c < channels; c++) {
                REAL factor = weights[tap * channels + c];
                UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] += factor * value[p];
            }
        }
    }
    UNROLL for (int c = 0; c < channels; c++) {
        V *into = y + (channel + c) * y_plane;
        UNROLL for (int p = 0; p < pixels; p++) {
            V v = sum[c * pixels + p];
            if (end->relu) v = keep(~(M)(v < 0), v); /* not v > 0: what is not a number stays so */
            sum[c * pixels + p] = into[to[p]] = v;
        }
        if (end->statistics) {
            V *s = end->statistics + 3 * (channel + c);
            if (first) s[0] = sum[c * pixels], s[1] = s[2] = (V){0};
            V pivot = s[0], total = s[1], squares = s[2];
            UNROLL for (int p = 0; p < pixels; p++) {
                V v = sum[c * pixels + p] - pivot;
                total += v;
                squares += v * v;
            }
            s[1] = total, s[2] = squares;
        }
    }
}

#define TILE(channels, pixels, length, near)                                                                           \
    static __attribute__((noinline)) void tile_##channels##_##pixels##_##length##_##near(                              \
        const V *x, const REAL *w, const int32_t *weight, const int32_t *offset, int runs, const int32_t *from,        \
        const int32_t *to, V *y, int64_t y_plane, const End *end, int channel, int first) {                            \
        tile(channels, pixels, length, near, x, w, weight, offset, runs, from, to, y, y_plane, end, channel, first);   \
    }
#define TRY(channels, size, length_, near)                                                                             \
    if (wide == channels && left >= size && sweep->length[class] == length_ &&                                         \
        (!near || from[at + size - 1] == from[at] + size - 1)) {                                                       \
        tile_##channels##_##size##_##length_##_##near(x, weights, sweep->weight + run, sweep->offset + run, runs,      \
                                                        from + at, to + at, y, y_plane, &here, channel,                \
                                                        pixel + start + at == 0);                                      \
        at += size;                                                                                                    \
        continue;                                                                                                      \
    }
#if WIDE == 8
#define WIDE_TILES(f, length)                                                                                          \
    f(8, 3, length, 0) f(8, 2, length, 0) f(8, 1, length, 0) f(4, 6, length, 0) f(2, 12, length, 0)
#define NEAR_TILES(f) f(8, 3, 3, 1) f(4, 6, 3, 1) f(4, 3, 3, 1) f(2, 6, 3, 1) f(1, 6, 3, 1)
#else
#define WIDE_TILES(f, length)
#define NEAR_TILES(f) f(4, 3, 3, 1) f(2, 3, 3, 1) f(1, 6, 3, 1)
#endif
#define FAR_TILES(f, length)                                                                                           \
    WIDE_TILES(f, length)                                                                                              \
    f(4, 3, length, 0) f(4, 2, length, 0) f(4, 1, length, 0) f(2, 6, length, 0) f(2, 3, length, 0) f(2, 1, length, 0)  \
    f(1, 12, length, 0) f(1, 6, length, 0) f(1, 3, length, 0) f(1, 1, length, 0)
#define TILES(f) NEAR_TILES(f) FAR_TILES(f, 3) FAR_TILES(f, 1) /* whatever comes first is tried first */
TILES(TILE)

/* y from x, of some groups; weights are packed for tiles, [weight of an output][output of the tile]. */
static void sweep_over(const Sweep *sweep, int groups, const V *x, int64_t x_size, const REAL *packed, int weights_each,
                       V *y, int64_t y_size, int64_t y_plane, int outputs, const End *end) {
    for (int class = 0; class < sweep->classes; class ++) {
        int pixel = sweep->first_pixel[class], pixels = sweep->first_pixel[class + 1] - pixel, stop = groups * pixels;
        int run = sweep->first_run[class], runs = sweep->first_run[class + 1] - run;
        End here = *end;
        if (here.bias) here.bias += (int64_t)class * outputs;
        for (int start = 0; start < stop; start += PIXELS) {
            const REAL *weights = packed;
            const int32_t *from = sweep->from + pixel + start, *to = sweep->to + pixel + start;
            int32_t froms[PIXELS], tos[PIXELS];
            if (groups > 1) {
                for (int p = start; p < smaller(start + PIXELS, stop); p++) {
                    froms[p - start] = sweep->from[pixel + p % pixels] + p / pixels * (int32_t)x_size;
                    tos[p - start] = sweep->to[pixel + p % pixels] + p / pixels * (int32_t)y_size;
                }
                from = froms, to = tos;
            }
            for (int channel = 0, wide; channel < outputs; channel += wide) {
                wide = tile_channels(outputs - channel);
                for (int at = 0, left; (left = smaller(PIXELS, stop - start) - at) > 0;) {
                    TILES(TRY)
                }
                weights += (int64_t)wide * weights_each;
            }
        }
    }
}

/* Of some groups. A depthwise convolution is one of each channel alone. */
static void convolve(const Block *b, const Sweep *sweep, int back, int groups, Maps x, int64_t plane,
                     const REAL *packed, Maps y, int64_t y_plane, const End *end) {
    int kernel = (int)taps_of(b);
    if (!b->depthwise) {
        int inputs = (int)(back ? b->outputs : b->inputs), outputs = (int)(back ? b->inputs : b->outputs);
        sweep_over(sweep, groups, x.vectors, x.size, packed, inputs * kernel, y.vectors, y.size, y_plane, outputs, end);
        return;
    }
    for (int c = 0; c < b->outputs; c++) {
        End one = *end;
        if (one.bias) one.bias += c * sweep->classes;
        if (one.statistics) one.statistics += 3 * c;
        sweep_over(sweep, groups, x.vectors + c * plane, x.size, packed + c * kernel, kernel, y.vectors + c * y_plane,
                   y.size, y_plane, 1, &one);
    }
}

/* For each weight of one output and input: the rest with `tap` its number and `at` its place. */
#define EACH_TAP(b, output, input, ...)                                                                                \
    for (int64_t i_ = 0, tap = 0; i_ < (b)->kernel_rows; i_++)                                                         \
        for (int64_t j_ = 0; j_ < (b)->kernel_columns; j_++, tap++) {                                                  \
            const int64_t *by_ = (b)->weight_strides;                                                                  \
            int64_t at = (output) * by_[0] + (input) * by_[1] + i_ * by_[2] + j_ * by_[3];                             \
            __VA_ARGS__                                                                                                \
        }

/* The weights in tiles, [input][tap][output of the tile], times the scale of what they are applied to; backward, the
   same weights from output to input. */
static void pack(const Block *b, const double *scale, int back) {
    int64_t kernel = taps_of(b), into = back ? b->inputs : b->outputs, over = back ? b->outputs : b->inputs;
    REAL *packed = back ? b->packed_back : b->packed;
    if (b->depthwise) {
        for (int64_t c = 0; c < b->outputs; c++)
            EACH_TAP(b, c, 0, {
                int64_t place = back ? kernel - 1 - tap : tap;
                packed[c * kernel + place] = (REAL)(b->weight[at] * (scale ? scale[c] : 1));
            })
        return;
    }
    for (int64_t first = 0, wide; first < into; packed += wide * over * kernel, first += wide) {
        wide = tile_channels((int)(into - first));
        for (int64_t c = first; c < first + wide; c++)
            for (int64_t i = 0; i < over; i++) {
                int64_t output = back ? i : c, input = back ? c : i;
                double factor = scale ? scale[input] : 1;
                EACH_TAP(b, output, input, {
                    int64_t place = back ? kernel - 1 - tap : tap;
                    packed[(i * kernel + place) * wide + c - first] = (REAL)(b->weight[at] * factor);
                })
            }
    }
}

/* For each class of pixels the bias, with what the input's shift adds to it through the taps that they have. */
static void pack_bias(const Block *b, const double *shift) {
    int64_t classes = b->forward.classes;
    for (int64_t output = 0; output < b->outputs; output++) {
        double shifted[taps_of(b)];
        for (int64_t tap = 0; tap < taps_of(b); tap++) shifted[tap] = 0;
        for (int64_t i = 0; shift && i < (b->depthwise ? 1 : b->inputs); i++)
            EACH_TAP(b, output, i, shifted[tap] += shift[b->depthwise ? output : i] * b->weight[at];)
        for (int64_t class = 0; class < classes; class ++) {
            double sum = b->bias ? b->bias[output] : 0;
            int run = b->forward.first_run[class], runs = b->forward.first_run[class + 1] - run;
            for (int last = run + runs / (int)(b->depthwise ? 1 : b->inputs); run < last; run++) /* of one channel */
                for (int t = 0; t < b->forward.length[class]; t++) sum += shifted[b->forward.weight[run] + t];
            b->class_bias[b->depthwise ? output * classes + class : class * b->outputs + output] = (REAL)sum;
        }
    }
}

/* ---- Batch norm ---- */

/* Mean, and sum of squared deviations from it, of each output over a group's images: two numbers in `found`. */
static void group_statistics(const Block *b, const V *statistics, int valid, double *found) {
    double pixels = (double)(b->rows * b->columns), part = 1 / pixels;
    for (int64_t c = 0; c < b->outputs; c++) {
        V pivot = statistics[3 * c], total = statistics[3 * c + 1], squares = statistics[3 * c + 2];
        double mean = 0, deviation = 0;
        for (int l = 0; l < valid; l++) mean += pivot[l] + total[l] * part;
        mean /= valid;
        for (int l = 0; l < valid; l++) {
            double off = pivot[l] + total[l] * part - mean;
            deviation += squares[l] - total[l] * (total[l] * part) + pixels * off * off;
        }
        found[2 * c] = mean, found[2 * c + 1] = deviation;
    }
}

/* An output's mean and variance over the batch, which the running ones take in. */
static void batch_statistics(Block *b, const Work *work, int64_t c, double *mean, double *variance) {
    double pixels = (double)(b->rows * b->columns), count = pixels * (double)work->images, deviation = 0;
    *mean = 0;
    for (int64_t g = 0; g < groups_of(work); g++)
        *mean += b->found[2 * (g * b->outputs + c)] * valid_lanes(work, g) / (double)work->images;
    for (int64_t g = 0; g < groups_of(work); g++) {
        const double *found = b->found + 2 * (g * b->outputs + c);
        deviation += found[1] + (found[0] - *mean) * (found[0] - *mean) * pixels * valid_lanes(work, g);
    }
    *variance = deviation / count;
    b->running_mean[c] += (REAL)(b->momentum * (*mean - b->running_mean[c]));
    b->running_variance[c] += (REAL)(b->momentum * (deviation / (count - 1) - b->running_variance[c]));
}

static void normalise(Block *b, const Work *work) {
    if (work->training) ++*b->batches;
    for (int64_t c = 0; c < b->outputs; c++) {
        double mean = b->running_mean[c], variance = b->running_variance[c];
        if (work->training) batch_statistics(b, work, c, &mean, &variance);
        b->mean[c] = mean;
        b->inverse[c] = 1 / sqrt(variance + b->eps);
        b->scale[c] = b->gamma[c] * b->inverse[c];
        b->shift[c] = b->beta[c] - mean * b->scale[c];
    }
}

/* From the gradients of scale and shift, those of the parameters and what statistics add to the raw output's. */
static void normalise_back(Block *b, const Work *work, const double *scale_gradient, const double *shift_gradient) {
    double count = (double)(b->rows * b->columns * work->images);
    for (int64_t c = 0; c < b->outputs; c++) {
        double slope = (scale_gradient[c] - b->mean[c] * shift_gradient[c]) * b->inverse[c];
        b->gamma_gradient[c] = (REAL)slope;
        b->beta_gradient[c] = (REAL)shift_gradient[c];
        b->mul[c] = -slope * b->scale[c] * b->inverse[c] / count;
        b->add[c] = -shift_gradient[c] * b->scale[c] / count - b->mul[c] * b->mean[c];
    }
}

/* ---- Pooling ---- */

/* The value of a window that counts: where the norm falls, the maximum is at the minimum, and where it is constant it
   is the first; what is not a number stays. */
INLINE V largest(const int rows, const int columns, int64_t width, REAL gamma, const V *at) {
    V best = *at;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            V v = at[i * width + j];
            M better = (gamma > 0 ? (M)(v > best) : gamma < 0 ? (M)(v < best) : (M){0}) | (M)(v != v);
            best = keep(better, v) + keep(~better, best);
        }
    return best;
}

INLINE V mean_of(const int rows, const int columns, int64_t width, const V *at) {
    V sum = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) sum += at[i * width + j];
    return sum / (REAL)(rows * columns);
}

static void pool(const Block *b, const V *raw, V *out) {
    int64_t width = b->columns, rows = out_rows(b), columns = out_columns(b);
    int high = (int)b->window_rows, wide = (int)b->window_columns;
    for (int64_t c = 0; c < b->outputs; c++) {
        REAL gamma = b->norm ? b->gamma[c] : 1;
        for (int64_t y = 0; y < rows; y++) {
            const V *at = raw + c * plane_of(b->rows, width) + y * high * width;
            V *into = out + c * plane_of(rows, columns) + y * columns;
            for (int64_t x = 0; x < columns; x++, at += wide, into++)
                if (b->pooling == 2) *into = mean_of(high, wide, width, at);
                else if (high == 2 && wide == 2) *into = largest(2, 2, width, gamma, at);
                else *into = largest(high, wide, width, gamma, at);
        }
    }
}

/* How a gradient goes back from a norm's and a ReLU's output to the raw one, of one channel. */
typedef struct {
    REAL add, mul;
    int relu;
    M lanes_used;
} Slope;

INLINE V through(const Slope *slope, V raw, V gradient) {
    V v = gradient + (slope->add + slope->mul * raw);
    if (slope->relu) v = keep(~(M)(raw <= 0), v);
    return keep(slope->lanes_used, v);
}

/* One window's, and their sum: the first of its values that is the pooled one gets the gradient, or each its share. */
INLINE V unpool(const int rows, const int columns, const Block *b, const Slope *slope, const V *raw, V pooled,
                   V gradient, V *into) {
    V part = gradient / (REAL)(rows * columns), total = {0};
    M before = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            V r = raw[i * b->columns + j];
            M hit = (M)(r == pooled) & ~before;
            before |= hit;
            total += into[i * b->columns + j] = through(slope, r, b->pooling == 1 ? keep(hit, gradient) : part);
        }
    return total;
}

/* ---- The gradient of weights ---- */

/* What they are summed over: rows first..last of some groups. */
typedef struct {
    int groups, first, last;
    int fresh; /* whether they are the first, and are not added to what is there */
    const V *g;
    Maps input;
    const V *zeros; /* a row of them, with paddings */
} Strip;

/* One pixel's: of the gradients of `channels` outputs with each of the values. */
INLINE void add_products(const int channels, const int streams, const V *g, int64_t g_plane, const V *value, V *sum) {
    UNROLL for (int c = 0; c < channels; c++) {
        V gradient = g[c * g_plane];
        UNROLL for (int s = 0; s < streams; s++) sum[c * streams + s] += gradient * value[s];
    }
}

INLINE void add_sums(const int count, const Strip *strip, const V *sum, V *sums) {
    UNROLL for (int i = 0; i < count; i++) sums[i] = strip->fresh ? sum[i] : sums[i] + sum[i];
}

/* For `streams` weights of each of `channels` outputs, from `stream` on of `count`. */
INLINE void products(const int channels, const int streams, const Block *b, const Strip *strip, int stream, int count,
                     V *sums) {
    int64_t g_plane = plane_of(b->rows, b->columns), width = b->in_columns;
    int stride = (int)b->stride, columns = (int)b->columns;
    V sum[MOST], value[PIXELS];
    UNROLL for (int i = 0; i < channels * streams; i++) sum[i] = (V){0};
    int column[PIXELS], low = 0, high = columns; /* between these no column is read beside the map */
    UNROLL for (int s = 0; s < streams; s++) {
        column[s] = stream + s < count ? b->stream_column[stream + s] : 0;
        low = larger(low, (-column[s] + stride - 1) / stride);
        high = smaller(high, column[s] < width ? ((int)width - 1 - column[s]) / stride + 1 : 0);
    }
    low = smaller(low, columns);
    high = larger(high, low);
    const V *x = strip->input.vectors, *g = strip->g;
    for (int group = 0; group < strip->groups; group++, g += g_size(b), x += strip->input.size)
        for (int y = strip->first; y < strip->last; y++) {
            const V *row[PIXELS], *at = g + y * columns;
            UNROLL for (int s = 0; s < streams; s++) {
                int64_t from = stream + s < count ? y * stride + b->stream_row[stream + s] : -1;
                int beside = from < 0 || from >= b->in_rows;
                row[s] = (beside ? strip->zeros : x + b->stream_plane[stream + s] + from * width) + column[s];
            }
            for (int p = low; p < high; p++) {
                UNROLL for (int s = 0; s < streams; s++) value[s] = row[s][p * stride];
                add_products(channels, streams, at + p, g_plane, value, sum);
            }
            for (int p = low ? 0 : high; p < columns; p = p + 1 == low ? high : p + 1) {
                UNROLL for (int s = 0; s < streams; s++) {
                    int from = p * stride + column[s];
                    value[s] = from < 0 || from >= width ? (V){0} : row[s][p * stride];
                }
                add_products(channels, streams, at + p, g_plane, value, sum);
            }
        }
    add_sums(channels * streams, strip, sum, sums);
}

/* The same of a kernel three wide that moves by one pixel: what the weights of one of its rows are multiplied by lies
   side by side, and is read once for them. */
INLINE void row_products(const int channels, const int streams, const Block *b, const Strip *strip, int stream,
                         int count, V *sums) {
    int64_t g_plane = plane_of(b->rows, b->columns), width = b->in_columns;
    int columns = (int)b->columns, padding = (int)b->padding, low = smaller(padding, columns);
    int high = larger(low, smaller(columns, (int)width + padding - 2));
    V sum[MOST], value[PIXELS];
    UNROLL for (int i = 0; i < channels * streams; i++) sum[i] = (V){0};
    const V *x = strip->input.vectors, *g = strip->g;
    for (int group = 0; group < strip->groups; group++, g += g_size(b), x += strip->input.size)
        for (int y = strip->first; y < strip->last; y++) {
            const V *row[PIXELS], *at = g + y * columns;
            UNROLL for (int s = 0; s < streams; s += 3) {
                int64_t from = stream + s < count ? y + b->stream_row[stream + s] : -1;
                int beside = from < 0 || from >= b->in_rows;
                row[s] = (beside ? strip->zeros : x + b->stream_plane[stream + s] + from * width) - padding;
            }
            int p = low;
            for (; p + 3 <= high; p += 3)
                UNROLL for (int step = 0; step < 3; step++) {
                    UNROLL for (int s = 0; s < streams; s++)
                        value[s] = step && s % 3 < 2 ? value[s + 1] : row[s - s % 3][p + step + s % 3];
                    add_products(channels, streams, at + p + step, g_plane, value, sum);
                }
            for (; p < high; p++) {
                UNROLL for (int s = 0; s < streams; s++) value[s] = row[s - s % 3][p + s % 3];
                add_products(channels, streams, at + p, g_plane, value, sum);
            }
            for (p = low ? 0 : high; p < columns; p = p + 1 == low ? high : p + 1) {
                UNROLL for (int s = 0; s < streams; s++) {
                    int64_t from = p + s % 3 - padding;
                    value[s] = from < 0 || from >= width ? (V){0} : row[s - s % 3][p + s % 3];
                }
                add_products(channels, streams, at + p, g_plane, value, sum);
            }
        }
    add_sums(channels * streams, strip, sum, sums);
}

/* Weights of one output that are worked on together, where a tile has so many outputs. */
INLINE int tile_streams(int channels) {
    return channels == 1 ? 9 : channels == WIDE ? 3 : channels == 4 ? 6 : WIDE == 8 ? 12 : 6;
}

#define PRODUCTS(channels, streams)                                                                                    \
    static __attribute__((noinline)) void products_##channels(const Block *b, const Strip *strip, int stream,          \
                                                              int count, V *sums) {                                    \
        if (b->kernel_columns == 3 && b->stride == 1 && b->dilation == 1)                                              \
            row_products(channels, streams, b, strip, stream, count, sums);                                            \
        else                                                                                                           \
            products(channels, streams, b, strip, stream, count, sums);                                                \
    }
#if WIDE == 8
PRODUCTS(8, 3) PRODUCTS(4, 6) PRODUCTS(2, 12) PRODUCTS(1, 9)
#else
PRODUCTS(4, 3) PRODUCTS(2, 6) PRODUCTS(1, 9)
#endif

/* All weights'. */
static void weight_products(const Block *b, const Strip *strip, V *sums) {
    int count = streams_of(b);
    for (int channel = 0, wide; channel < b->outputs; channel += wide) {
        wide = b->depthwise ? 1 : tile_channels((int)b->outputs - channel);
        Strip here = *strip;
        here.g += channel * plane_of(b->rows, b->columns);
        if (b->depthwise) here.input.vectors += channel * plane_of(b->in_rows, b->in_columns);
        int step = tile_streams(wide);
        for (int stream = 0; stream < count; stream += step, sums += wide * step) {
#if WIDE == 8
            if (wide == 8) products_8(b, &here, stream, count, sums);
#endif
            if (wide == 4) products_4(b, &here, stream, count, sums);
            if (wide == 2) products_2(b, &here, stream, count, sums);
            if (wide == 1) products_1(b, &here, stream, count, sums);
        }
    }
}

/* The sums over lanes of as many vectors as a vector has lanes, each in its lane. */
INLINE V across(const V *vectors) {
    V v[LANES];
    M even, odd;
    UNROLL for (int l = 0; l < LANES; l++) even[l] = 2 * l, odd[l] = 2 * l + 1, v[l] = vectors[l];
    UNROLL for (int count = LANES; count > 1; count /= 2)
        UNROLL for (int i = 0; i < count / 2; i++)
            v[i] = __builtin_shuffle(v[2 * i], v[2 * i + 1], even) + __builtin_shuffle(v[2 * i], v[2 * i + 1], odd);
    return v[0];
}

/* The sums over g that belong to each tap: those of the places at which it reads the map and not its padding. */
static void tap_sums(const Block *b, const V *g, int first, int last, V *sums) {
    int64_t kernel = taps_of(b);
    for (int64_t c = 0; c < b->outputs; c++)
        for (int y = first; y < last; y++) {
            const V *row = g + c * plane_of(b->rows, b->columns) + y * b->columns;
            V all = {0};
            for (int64_t p = 0; p < b->columns; p++) all += row[p];
            for (int64_t j = 0; j < b->kernel_columns; j++) {
                V inside = all;
                int64_t low = 0, high = b->columns, column = j * b->dilation - b->padding;
                while (low < high && low * b->stride + column < 0) low++;
                while (high > low && (high - 1) * b->stride + column >= b->in_columns) high--;
                for (int64_t p = 0; p < low; p++) inside -= row[p];
                for (int64_t p = high; p < b->columns; p++) inside -= row[p];
                for (int64_t i = 0; i < b->kernel_rows; i++) {
                    int64_t from = y * b->stride + i * b->dilation - b->padding;
                    if (from >= 0 && from < b->in_rows) sums[c * (kernel + 1) + i * b->kernel_columns + j] += inside;
                }
            }
        }
}

/* ---- Passes ---- */

/* Of a thread's scratch, in vectors: g, sums of products, sums by tap, zeros. */
static int64_t products_size(const Block *b) {
    int64_t size = 0, count = streams_of(b);
    for (int64_t channel = 0, wide; channel < b->outputs; channel += wide) {
        wide = b->depthwise ? 1 : tile_channels((int)(b->outputs - channel));
        int64_t step = tile_streams((int)wide);
        size += (count + step - 1) / step * step * wide;
    }
    return size;
}
static int64_t sums_size(const Block *b) { return b->outputs * (taps_of(b) + 1); }
static int64_t zeros_size(const Block *b) { return b->in_columns + 2 * b->padding + 1 + LANES; }
int64_t scratch(const Block *b) {
    int64_t forward = 3 * b->outputs, made = is_made_again(b) ? g_size(b) : 0;
    int64_t back = bundle(b) * g_size(b) + products_size(b) + sums_size(b) + zeros_size(b);
    return (forward > back ? forward : back) + made;
}
static int64_t collected_size(const Block *b) { return (products_size(b) + sums_size(b) + LANES - 1) / LANES * LANES; }
int64_t found_size(const Block *b, int64_t groups, int64_t shares) {
    int64_t forward = 2 * groups * b->outputs, back = shares * collected_size(b);
    return forward > back ? forward : back;
}

static Maps input_of(const Block *blocks, int64_t k, const Work *work) { return k ? blocks[k - 1].out : work->input; }

/* The rest for each of so many parts of the work, `part`. Whoever is done takes the next: a thread may be slowed down
   by another program. */
#define EACH_PART(work, parts, ...)                                                                                    \
    _Pragma("omp parallel for num_threads((int)(work)->threads) schedule(dynamic, 1)")                                 \
    for (int64_t part = 0; part < (parts); part++) {                                                                   \
        __VA_ARGS__                                                                                                    \
    }

/* A thread's memory, of `scratch` vectors. */
INLINE V *scratch_of(const Work *work) { return work->memory + omp_get_thread_num() * work->scratch; }

/* The first of so many groups that come after `n` for a block: each block begins with what the one before it ended
   with, as it is still in the cache. */
INLINE int64_t in_turn(int64_t block, int64_t n, int64_t groups, const Work *work) {
    return block % 2 ? groups_of(work) - groups - n : n;
}

/* For each image of a group, channel, and pixel: the rest with `image` its place in images (N, C, H, W) of any strides,
   and `value` that in the group. */
#define EACH_PIXEL(work, g, c, rows, columns, ...)                                                                     \
    for (int64_t y_ = 0, at_ = (c)*plane_of(rows, columns) * LANES; y_ < (rows); y_++)                                 \
        for (int64_t x_ = 0; x_ < (columns); x_++, at_ += LANES) {                                                     \
            int64_t image = (g)*LANES * strides[0] + (c)*strides[1] + y_ * strides[2] + x_ * strides[3], value = at_;  \
            if (valid_lanes(work, g) == LANES)                                                                         \
                UNROLL for (int l_ = 0; l_ < LANES; l_++, image += strides[0], value++) { __VA_ARGS__ }                \
            else                                                                                                       \
                for (int l_ = 0; l_ < valid_lanes(work, g); l_++, image += strides[0], value++) { __VA_ARGS__ }        \
        }

/* Images to groups; lanes without an image are 0. */
void enter(const Work *work, const REAL *images, const int64_t *strides, int64_t channels, int64_t rows,
           int64_t columns) {
    memset(of_group(work->input, groups_of(work) - 1), 0, (size_t)work->input.size * sizeof(V));
    EACH_PART(work, groups_of(work), {
        REAL *input = (REAL *)of_group(work->input, part);
        for (int64_t c = 0; c < channels; c++)
            EACH_PIXEL(work, part, c, rows, columns, input[value] = images[image];)
    })
}

/* Groups to images, by channel times scale and plus shift, where there are some. */
void leave(const Work *work, const Maps *groups, REAL *images, const int64_t *strides, int64_t channels, int64_t rows,
           int64_t columns, const double *scale, const double *shift) {
    EACH_PART(work, groups_of(work), {
        const REAL *output = (const REAL *)of_group(*groups, part);
        for (int64_t c = 0; c < channels; c++) {
            REAL factor = scale ? (REAL)scale[c] : 1, offset = scale ? (REAL)shift[c] : 0;
            EACH_PIXEL(work, part, c, rows, columns, images[image] = output[value] * factor + offset;)
        }
    })
}

void forward(Block *blocks, int64_t count, const Work *work) {
    for (int64_t k = 0; k < count; k++) {
        Block *b = blocks + k;
        const Block *before = k && blocks[k - 1].norm ? b - 1 : 0;
        int64_t in_plane = plane_of(b->in_rows, b->in_columns), plane = plane_of(b->rows, b->columns);
        Maps input = input_of(blocks, k, work);
        pack(b, before ? before->scale : 0, 0);
        pack_bias(b, before ? before->shift : 0);
        EACH_PART(work, groups_of(work), {
            V *statistics = scratch_of(work);
            int measured = b->norm && work->training;
            End end = {b->class_bias, (int)b->relu, measured ? statistics : 0};
            int64_t g = in_turn(k, part, 1, work);
            Maps raw = is_made_again(b) ? (Maps){statistics + 3 * b->outputs, 0} : from_group(b->raw, g);
            convolve(b, &b->forward, 0, 1, from_group(input, g), in_plane, b->packed, raw, plane, &end);
            if (measured) group_statistics(b, statistics, valid_lanes(work, g), b->found + 2 * g * b->outputs);
            if (b->pooling) pool(b, raw.vectors, of_group(b->out, g));
        })
        if (b->norm) normalise(b, work);
    }
}

/* Some rows, of whole windows, of a group's gradient of the convolution's output, from that of the block's output. By
   output, their sum is added to the last of the sums by tap. */
static void output_gradient(const Block *b, const V *raw_maps, const V *out_maps, int valid, const V *gradient,
                            int first, int last, V *g, V *by_tap) {
    int64_t plane = plane_of(b->rows, b->columns), width = b->columns;
    int64_t windows = b->pooling ? out_columns(b) : 0, out_plane = plane_of(out_rows(b), out_columns(b));
    Slope slope = {0, 0, (int)b->relu, {0}};
    for (int l = 0; l < LANES; l++) slope.lanes_used[l] = -(l < valid);
    for (int64_t c = 0; c < b->outputs; c++) {
        const V *raw = raw_maps + c * plane, *out = out_maps + c * out_plane;
        const V *back = gradient + c * out_plane;
        V *into = g + c * plane, total = {0};
        if (b->norm) slope.add = (REAL)b->add[c], slope.mul = (REAL)b->mul[c];
        int y = first;
        for (; b->pooling && y + b->window_rows <= last; y += (int)b->window_rows) {
            int64_t from = y * width, window = y / b->window_rows * windows;
            for (int64_t x = 0; x < windows; x++, window++, from += b->window_columns) {
                __builtin_prefetch(raw + from + plane); /* the next channel's, which lies too far for the processor */
                __builtin_prefetch(raw + from + plane + width);
                V pooled = out[window], pooled_back = back[window];
                if (b->window_rows == 2 && b->window_columns == 2)
                    total += unpool(2, 2, b, &slope, raw + from, pooled, pooled_back, into + from);
                else
                    total += unpool((int)b->window_rows, (int)b->window_columns, b, &slope, raw + from, pooled,
                                    pooled_back, into + from);
            }
            for (int i = 0; i < b->window_rows; i++) /* columns of no window */
                for (int64_t p = (y + i) * width + windows * b->window_columns; p < (y + i + 1) * width; p++)
                    total += into[p] = through(&slope, raw[p], (V){0});
        }
        for (int64_t p = y * width; p < last * width; p++) { /* all rows, or those of no window */
            __builtin_prefetch(raw + p + plane);
            if (!b->pooling) __builtin_prefetch(back + p + plane);
            total += into[p] = through(&slope, raw[p], b->pooling ? (V){0} : back[p]);
        }
        by_tap[(c + 1) * (taps_of(b) + 1) - 1] += total;
    }
}

/* The gradients of a block's parameters from the shares' sums, and those of the scale and shift of its input. */
static void gather(Block *b, const Work *work, const double *scale, const double *shift, double *scale_gradient,
                   double *shift_gradient) {
    int64_t kernel = taps_of(b), size = collected_size(b) / LANES;
    int count = streams_of(b);
    V *found = (V *)b->found;
    REAL *products = (REAL *)found, *sums = products + products_size(b);
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t i = 0; i < size; i++)
        for (int64_t n = 1; n < b->shares; n++) found[i] += found[n * size + i];
    if (b->bias_gradient)
        for (int64_t output = 0; output < b->outputs; output++)
            b->bias_gradient[output] = sums[output * (kernel + 1) + kernel];
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t input = 0; input < b->inputs; input++) {
        double factor = scale ? scale[input] : 1, offset = scale ? shift[input] : 0, by_scale = 0, by_shift = 0;
        const REAL *tile = products;
        for (int64_t first = 0, wide; first < b->outputs; first += wide) {
            wide = b->depthwise ? 1 : tile_channels((int)(b->outputs - first));
            int64_t row = b->depthwise ? 0 : input, stream = row * kernel, step = tile_streams((int)wide);
            for (int64_t c = 0; c < wide && (!b->depthwise || first == input); c++) {
                const REAL *of = tile + stream / step * step * wide + c * step;
                const REAL *by_tap = sums + (first + c) * (kernel + 1);
                int64_t place = stream % step;
                EACH_TAP(b, first + c, row, {
                    double product = of[place], sum = by_tap[b->padding ? tap : kernel];
                    by_scale += b->weight[at] * product;
                    by_shift += b->weight[at] * sum;
                    b->weight_gradient[at] = (REAL)(factor * product + offset * sum);
                    if (++place == step) place = 0, of += step * wide;
                })
            }
            tile += (count + step - 1) / step * step * wide;
        }
        scale_gradient[input] = by_scale, shift_gradient[input] = by_shift;
    }
}

/* From images' gradient of what the segment gives, with any strides; the gradient of its input comes to be where the
   first block's raw output was, if it is wanted. */
void backward(Block *blocks, int64_t count, const Work *work, const REAL *images, const int64_t *strides,
              int64_t wanted, double *scale_gradient, double *shift_gradient) {
    Block *end = blocks + count - 1;
    int64_t rows = out_rows(end), columns = out_columns(end);
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t c = 0; c < end->outputs; c++) { /* by channel: the sums are the same for any number of threads */
        REAL factor = end->norm ? (REAL)end->scale[c] : 1;
        double scale_sum = 0, shift_sum = 0;
        for (int64_t g = 0; g < groups_of(work); g++) {
            const REAL *out = (const REAL *)of_group(end->out, g);
            REAL *into = (REAL *)of_group(work->gradient, g);
            EACH_PIXEL(work, g, c, rows, columns, {
                scale_sum += images[image] * out[value];
                shift_sum += images[image];
                into[value] = images[image] * factor;
            })
        }
        scale_gradient[c] = scale_sum, shift_gradient[c] = shift_sum;
    }
    for (int64_t k = count - 1; k >= 0; k--) {
        Block *b = blocks + k, *before = k && blocks[k - 1].norm ? b - 1 : 0;
        int64_t in_plane = plane_of(b->in_rows, b->in_columns), plane = plane_of(b->rows, b->columns);
        Maps gradient = k + 1 < count ? b[1].raw : work->gradient, input = input_of(blocks, k, work);
        int rows_each = larger(1, STRIP / (int)b->columns);
        if (b->pooling) rows_each = larger(1, rows_each / (int)b->window_rows) * (int)b->window_rows;
        if (b->norm) normalise_back(b, work, scale_gradient, shift_gradient);
        if (k || wanted) pack(b, before ? before->scale : 0, 1);
        EACH_PART(work, b->shares, {
            Maps g = {scratch_of(work), g_size(b)};
            V *sums = of_group(g, bundle(b)), *by_tap = sums + products_size(b);
            const V *zeros = by_tap + sums_size(b) + b->padding;
            const End plain = {0, 0, 0};
            int start = b->first_group[part], last = b->first_group[part + 1];
            memset(by_tap, 0, (size_t)(sums_size(b) + zeros_size(b)) * sizeof(V));
            for (int n = start, groups; n < last; n += groups) {
                groups = smaller((int)bundle(b), last - n);
                int64_t group = in_turn(k, n, groups, work);
                Maps raw = from_group(b->raw, group);
                if (is_made_again(b)) {
                    const End end = {b->class_bias, (int)b->relu, 0};
                    raw.vectors = by_tap + sums_size(b) + zeros_size(b);
                    convolve(b, &b->forward, 0, 1, from_group(input, group), in_plane, b->packed, raw, plane, &end);
                }
                for (int y = 0; y < b->rows; y += rows_each) {
                    int stop = smaller((int)b->rows, y + rows_each);
                    for (int i = 0; i < groups; i++) {
                        const V *out = of_group(b->out, group + i), *back = of_group(gradient, group + i);
                        int valid = valid_lanes(work, group + i);
                        V *here = of_group(g, i);
                        output_gradient(b, of_group(raw, i), out, valid, back, y, stop, here, by_tap);
                        if (b->padding && before) tap_sums(b, here, y, stop, by_tap);
                    }
                    Strip strip = {groups, y, stop, !y && n == start, g.vectors, from_group(input, group), zeros};
                    weight_products(b, &strip, sums);
                }
                if (k || wanted)
                    convolve(b, &b->backward, 1, groups, g, plane, b->packed_back, from_group(b->raw, group), in_plane,
                             &plain);
            }
            int64_t size = collected_size(b) / LANES;
            for (int64_t i = 0; i < size; i++) ((V *)b->found)[part * size + i] = across(sums + i * LANES);
        })
        gather(b, work, before ? before->scale : 0, before ? before->shift : 0, scale_gradient, shift_gradient);
    }
}
