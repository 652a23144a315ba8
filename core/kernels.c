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

   Sums over pixels are of type REAL, lane by lane, for weights over all images of a thread; those over lanes, groups
   and channels, of few terms, double. */

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

/* What a pass over a map does: the pixels of a class all have the same taps. Offsets are in vectors. */
typedef struct {
    int64_t classes;
    const int32_t *first_pixel, *first_tap; /* of each class, and the end */
    const int32_t *tap, *offset;            /* of each tap: its number in the kernel, where it reads beside `from` */
    const int32_t *from, *to;               /* of each pixel: where its first tap reads, where it is written */
} Sweep;

typedef struct {
    int64_t inputs, outputs, in_rows, in_columns, rows, columns; /* before and after the convolution */
    int64_t kernel_rows, kernel_columns, stride, padding, dilation, depthwise, relu, norm;
    int64_t pooling, window_rows, window_columns; /* 0 none, 1 maximum, 2 mean */
    Sweep forward, backward;
    const int32_t *stream_plane, *stream_row, *stream_column; /* of each weight of one output: what it is multiplied by */
    int64_t weight_strides[4];
    const REAL *weight, *bias, *gamma, *beta;
    REAL *running_mean, *running_variance;
    REAL *weight_gradient, *bias_gradient, *gamma_gradient, *beta_gradient;
    double eps, momentum;
    V *raw, *out; /* `out` is `raw` where nothing is pooled */
    REAL *packed, *packed_back, *class_bias;
    double *mean, *inverse, *scale, *shift, *add, *mul; /* by output */
    double *found;                                      /* sums: by group and output, or by weight */
} Block;

typedef struct {
    int64_t images, threads, training; /* whether norms take the batch's statistics, or else the running ones */
    int64_t scratch;                   /* vectors a thread */
    V *memory, *input, *gradient[2];
} Work;

int lanes(void) { return LANES; }
int block_size(void) { return sizeof(Block); }
int work_size(void) { return sizeof(Work); }

INLINE int smaller(int a, int b) { return a < b ? a : b; }
INLINE int larger(int a, int b) { return a > b ? a : b; }
INLINE V keep(M mask, V v) { return (V)((M)v & mask); }

/* Channels that a tile takes of those that are left. */
INLINE int tile_channels(int left) { return left >= WIDE ? WIDE : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/* From one channel of a map to the next: an odd number of vectors, or the channels' pixels would take each other's place
   in the cache. */
INLINE int64_t plane_of(int64_t rows, int64_t columns) { return rows * columns | 1; }

static int64_t taps_of(const Block *b) { return b->kernel_rows * b->kernel_columns; }
static int streams_of(const Block *b) { return (int)(taps_of(b) * (b->depthwise ? 1 : b->inputs)); }
static int64_t out_rows(const Block *b) { return b->pooling ? b->rows / b->window_rows : b->rows; }
static int64_t out_columns(const Block *b) { return b->pooling ? b->columns / b->window_columns : b->columns; }
static int64_t groups_of(const Work *work) { return (work->images + LANES - 1) / LANES; }
static int valid_lanes(const Work *work, int64_t group) {
    return (int)(work->images - group * LANES < LANES ? work->images - group * LANES : LANES);
}

/* ---- Convolution, forward and back ---- */

#define MOST 24   /* sums of a tile */
#define PIXELS 12 /* taken through all channels before the next, while what they read is in the cache */

/* What becomes of a tile's sums. */
typedef struct {
    const REAL *bias; /* by channel, or none */
    int relu;
    V *statistics; /* by channel: a pivot, the sums of value - pivot and of its square; or none */
} End;

/* The sums of `channels` outputs at `pixels` places; both are constants where this is inlined. */
INLINE void tile(const int channels, const int pixels, const V *x, int64_t plane, int inputs, const REAL *w, int kernel,
                 const int32_t *tap, const int32_t *offset, int taps, const int32_t *from, const int32_t *to, V *y,
                 int64_t y_plane, const End *end, int channel, int first) {
    V sum[MOST];
    const V *place[PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) place[p] = x + from[p];
    UNROLL for (int c = 0; c < channels; c++) {
        V start = (V){0} + (end->bias ? end->bias[channel + c] : 0);
        UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] = start;
    }
    for (int i = 0; i < inputs; i++) {
        for (int t = 0; t < taps; t++) {
            const REAL *weights = w + tap[t] * channels;
            int64_t at = offset[t];
            V value[PIXELS];
            UNROLL for (int p = 0; p < pixels; p++) value[p] = place[p][at];
            UNROLL for (int c = 0; c < channels; c++) {
                REAL weight = weights[c];
                UNROLL for (int p = 0; p < pixels; p++) sum[c * pixels + p] += weight * value[p];
            }
        }
        w += kernel * channels;
        UNROLL for (int p = 0; p < pixels; p++) place[p] += plane;
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

#define TILE(channels, pixels)                                                                                         \
    static __attribute__((noinline)) void tile_##channels##_##pixels(                                                  \
        const V *x, int64_t plane, int inputs, const REAL *w, int kernel, const int32_t *tap, const int32_t *offset,   \
        int taps, const int32_t *from, const int32_t *to, V *y, int64_t y_plane, const End *end, int channel,          \
        int first) {                                                                                                   \
        tile(channels, pixels, x, plane, inputs, w, kernel, tap, offset, taps, from, to, y, y_plane, end, channel,     \
             first);                                                                                                   \
    }
#define TRY(channels, pixels)                                                                                          \
    if (wide == channels && left >= pixels) {                                                                          \
        tile_##channels##_##pixels(x, plane, inputs, weights, kernel, sweep->tap + t, sweep->offset + t, taps,         \
                                   sweep->from + at, sweep->to + at, y, y_plane, &here, channel, at == 0);             \
        at += pixels;                                                                                                  \
        continue;                                                                                                      \
    }
#if WIDE == 8
TILE(8, 3) TILE(8, 2) TILE(8, 1) TILE(4, 6) TILE(2, 12)
#endif
TILE(4, 3) TILE(4, 2) TILE(4, 1) TILE(2, 6) TILE(2, 3) TILE(2, 1) TILE(1, 12) TILE(1, 6) TILE(1, 3) TILE(1, 1)

/* y, of one group, from x; weights are packed for tiles, [input][tap][channel of the tile]. */
static void sweep_over(const Sweep *sweep, const V *x, int64_t plane, int inputs, const REAL *packed, int kernel, V *y,
                       int64_t y_plane, int outputs, const End *end) {
    for (int class = 0; class < sweep->classes; class ++) {
        int stop = sweep->first_pixel[class + 1], t = sweep->first_tap[class], taps = sweep->first_tap[class + 1] - t;
        End here = *end;
        if (here.bias) here.bias += (int64_t)class * outputs;
        for (int start = sweep->first_pixel[class]; start < stop; start += PIXELS) {
            const REAL *weights = packed;
            for (int channel = 0, wide; channel < outputs; channel += wide) {
                wide = tile_channels(outputs - channel);
                for (int at = start, left; (left = smaller(start + PIXELS, stop) - at) > 0;) {
#if WIDE == 8
                    TRY(8, 3) TRY(8, 2) TRY(8, 1) TRY(4, 6) TRY(2, 12)
#endif
                    TRY(4, 3) TRY(4, 2) TRY(4, 1) TRY(2, 6) TRY(2, 3) TRY(2, 1) TRY(1, 12) TRY(1, 6) TRY(1, 3) TRY(1, 1)
                }
                weights += (int64_t)wide * inputs * kernel;
            }
        }
    }
}

/* A depthwise convolution is one of each channel alone. */
static void convolve(const Block *b, const Sweep *sweep, int back, const V *x, int64_t plane, const REAL *packed, V *y,
                     int64_t y_plane, const End *end) {
    int kernel = (int)taps_of(b);
    if (!b->depthwise) {
        int inputs = (int)(back ? b->outputs : b->inputs), outputs = (int)(back ? b->inputs : b->outputs);
        sweep_over(sweep, x, plane, inputs, packed, kernel, y, y_plane, outputs, end);
        return;
    }
    for (int c = 0; c < b->outputs; c++) {
        End one = {end->bias ? end->bias + c * sweep->classes : 0, end->relu, end->statistics ? end->statistics + 3 * c : 0};
        sweep_over(sweep, x + c * plane, plane, 1, packed + c * kernel, kernel, y + c * y_plane, y_plane, 1, &one);
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
            EACH_TAP(b, c, 0, packed[c * kernel + tap] = (REAL)(b->weight[at] * (scale ? scale[c] : 1));)
        return;
    }
    for (int64_t first = 0, wide; first < into; packed += wide * over * kernel, first += wide) {
        wide = tile_channels((int)(into - first));
        for (int64_t c = first; c < first + wide; c++)
            for (int64_t i = 0; i < over; i++) {
                int64_t output = back ? i : c, input = back ? c : i;
                double factor = scale ? scale[input] : 1;
                EACH_TAP(b, output, input, packed[(i * kernel + tap) * wide + c - first] = (REAL)(b->weight[at] * factor);)
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
            for (int t = b->forward.first_tap[class]; t < b->forward.first_tap[class + 1]; t++)
                sum += shifted[b->forward.tap[t]];
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

static void pool(const Block *b, const V *raw, V *out) {
    int64_t rows = out_rows(b), columns = out_columns(b);
    for (int64_t c = 0; c < b->outputs; c++) {
        M falling = (M){0} - (Whole)(b->norm && b->gamma[c] < 0); /* a falling function's maximum is at the minimum */
        M varies = (M){0} - (Whole)!(b->norm && b->gamma[c] == 0); /* of a constant's equal values the first counts */
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x++) {
                const V *at = raw + c * plane_of(b->rows, b->columns) + y * b->window_rows * b->columns + x * b->window_columns;
                V best = *at, sum = {0};
                for (int64_t i = 0; i < b->window_rows; i++)
                    for (int64_t j = 0; j < b->window_columns; j++) {
                        V v = at[i * b->columns + j];
                        M better = (varies & ((falling & (M)(v < best)) | (~falling & (M)(v > best)))) | (M)(v != v);
                        best = keep(better, v) + keep(~better, best);
                        sum += v;
                    }
                out[c * plane_of(rows, columns) + y * columns + x] =
                    b->pooling == 1 ? best : sum / (REAL)(b->window_rows * b->window_columns);
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

/* One window's: the first of its values that is the pooled one gets the gradient, or each its share. */
INLINE void unpool(const int rows, const int columns, const Block *b, const Slope *slope, const V *raw, V pooled,
                   V gradient, V *into) {
    V part = gradient / (REAL)(rows * columns);
    M before = {0};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            V r = raw[i * b->columns + j];
            M hit = (M)(r == pooled) & ~before;
            before |= hit;
            into[i * b->columns + j] = through(slope, r, b->pooling == 1 ? keep(hit, gradient) : part);
        }
}

/* ---- The gradient of weights ---- */

/* Rows first..last of one output's weights, `streams` of them from `stream` on, for `channels` outputs. */
INLINE void products(const int channels, const int streams, const Block *b, const V *g, const V *x, const V *zeros,
                     int stream, int count, int first, int last, V *sums) {
    int64_t g_plane = plane_of(b->rows, b->columns);
    int stride = (int)b->stride, width = (int)b->in_columns;
    V sum[MOST];
    UNROLL for (int i = 0; i < channels * streams; i++) sum[i] = (V){0};
    int column[PIXELS], low = 0, high = (int)b->columns;
    UNROLL for (int s = 0; s < streams; s++) {
        column[s] = stream + s < count ? b->stream_column[stream + s] : 0;
        low = larger(low, (-column[s] + stride - 1) / stride);
        high = smaller(high, column[s] < width ? (width - 1 - column[s]) / stride + 1 : 0);
    }
    low = smaller(low, (int)b->columns);
    high = larger(high, low);
    for (int y = first; y < last; y++) {
        const V *row[PIXELS], *at = g + y * b->columns;
        UNROLL for (int s = 0; s < streams; s++) {
            int from = stream + s < count ? y * stride + b->stream_row[stream + s] : -1;
            row[s] = from < 0 || from >= b->in_rows ? zeros : x + b->stream_plane[stream + s] + (int64_t)from * width;
            row[s] += column[s];
        }
        for (int p = low; p < high; p++) {
            V value[PIXELS];
            UNROLL for (int s = 0; s < streams; s++) value[s] = row[s][p * stride];
            UNROLL for (int c = 0; c < channels; c++) {
                V gradient = at[c * g_plane + p];
                UNROLL for (int s = 0; s < streams; s++) sum[c * streams + s] += gradient * value[s];
            }
        }
        for (int p = low ? 0 : high; p < b->columns; p = p + 1 == low ? larger(high, low) : p + 1) { /* at the edges */
            V value[PIXELS];
            UNROLL for (int s = 0; s < streams; s++) {
                int from = p * stride + column[s];
                value[s] = from < 0 || from >= width ? (V){0} : row[s][p * stride];
            }
            UNROLL for (int c = 0; c < channels; c++) {
                V gradient = at[c * g_plane + p];
                UNROLL for (int s = 0; s < streams; s++) sum[c * streams + s] += gradient * value[s];
            }
        }
    }
    UNROLL for (int i = 0; i < channels * streams; i++) sums[i] += sum[i];
}

/* Weights of one output that are worked on together, where a tile has so many outputs. */
INLINE int tile_streams(int channels) { return channels == 1 ? 9 : channels == WIDE ? 3 : channels == 4 ? 6 : WIDE == 8 ? 12 : 6; }

#define PRODUCTS(channels, streams)                                                                                    \
    static __attribute__((noinline)) void products_##channels(const Block *b, const V *g, const V *x, const V *zeros,  \
                                                              int stream, int count, int first, int last, V *sums) {   \
        products(channels, streams, b, g, x, zeros, stream, count, first, last, sums);                                 \
    }
#if WIDE == 8
PRODUCTS(8, 3) PRODUCTS(4, 6) PRODUCTS(2, 12) PRODUCTS(1, 9)
#else
PRODUCTS(4, 3) PRODUCTS(2, 6) PRODUCTS(1, 9)
#endif

static void weight_products(const Block *b, const V *g, const V *x, const V *zeros, int first, int last, V *sums) {
    int64_t g_plane = plane_of(b->rows, b->columns), plane = plane_of(b->in_rows, b->in_columns);
    int count = streams_of(b);
    for (int channel = 0, wide; channel < b->outputs; channel += wide) {
        wide = b->depthwise ? 1 : tile_channels((int)b->outputs - channel);
        const V *g_here = g + channel * g_plane, *x_here = b->depthwise ? x + channel * plane : x;
        int step = tile_streams(wide);
        for (int stream = 0; stream < count; stream += step, sums += wide * step) {
#if WIDE == 8
            if (wide == 8) products_8(b, g_here, x_here, zeros, stream, count, first, last, sums);
#endif
            if (wide == 4) products_4(b, g_here, x_here, zeros, stream, count, first, last, sums);
            if (wide == 2) products_2(b, g_here, x_here, zeros, stream, count, first, last, sums);
            if (wide == 1) products_1(b, g_here, x_here, zeros, stream, count, first, last, sums);
        }
    }
}

static double across(V v) {
    REAL part[LANES];
    memcpy(part, &v, sizeof v);
    for (int half = LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) part[l] += part[l + half];
    return part[0];
}

/* The sums over g that belong to each tap: those of the places at which it reads the map and not its padding. */
static void tap_sums(const Block *b, const V *g, int first, int last, V *sums) {
    int64_t kernel = taps_of(b);
    for (int64_t c = 0; c < b->outputs; c++)
        for (int y = first; y < last; y++) {
            const V *row = g + c * plane_of(b->rows, b->columns) + y * b->columns;
            V all = {0};
            for (int64_t p = 0; p < b->columns; p++) all += row[p];
            sums[c * (kernel + 1) + kernel] += all;
            if (!b->padding) continue;
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

#define STRIP 48 /* pixels whose gradients are used for all weights before the next, so that they stay in the cache */

/* Of a thread's scratch, in vectors: g, sums of products, sums by tap, zeros. */
static int64_t g_size(const Block *b) { return b->outputs * plane_of(b->rows, b->columns); }
static int64_t products_size(const Block *b) { return b->outputs * (streams_of(b) + 12); }
static int64_t sums_size(const Block *b) { return b->outputs * (taps_of(b) + 1); }
int64_t scratch(const Block *b) {
    int64_t forward = 3 * b->outputs;
    int64_t back = g_size(b) + products_size(b) + sums_size(b) + b->in_columns + 2 * b->padding + 1;
    return forward > back ? forward : back;
}
int64_t found_size(const Block *b, int64_t groups) {
    int64_t forward = 2 * groups * b->outputs, back = b->outputs * (streams_of(b) + taps_of(b) + 1);
    return forward > back ? forward : back;
}

static const V *input_of(const Block *blocks, int64_t k, const Work *work) { return k ? blocks[k - 1].out : work->input; }

/* Each share of the groups, one for each thread that was asked for; with fewer threads, some take more than one. */
#define EACH_SHARE(work, thread)                                                                                       \
    for (int thread = omp_get_thread_num(); thread < (work)->threads; thread += omp_get_num_threads())

/* The first and last group of a share: the same in every pass, so that sums are always of the same terms. */
static void share(const Work *work, int thread, int64_t *first, int64_t *last) {
    *first = groups_of(work) * thread / work->threads;
    *last = groups_of(work) * (thread + 1) / work->threads;
}

/* For each image of a group, channel, and pixel: the rest with `image` its place in images (N, C, H, W) of any strides,
   and `value` that in groups. */
#define EACH_PIXEL(work, g, c, channels, rows, columns, ...)                                                           \
    for (int64_t y_ = 0; y_ < (rows); y_++)                                                                            \
        for (int64_t x_ = 0; x_ < (columns); x_++)                                                                     \
            for (int64_t l_ = 0; l_ < valid_lanes(work, g); l_++) {                                                    \
                int64_t image = ((g)*LANES + l_) * strides[0] + (c)*strides[1] + y_ * strides[2] + x_ * strides[3];    \
                int64_t value = (((g) * (channels) + (c)) * plane_of(rows, columns) + y_ * (columns) + x_) * LANES + l_; \
                __VA_ARGS__                                                                                            \
            }

/* Images to groups; lanes without an image are 0. */
void enter(const Work *work, const REAL *images, const int64_t *strides, int64_t channels, int64_t rows, int64_t columns) {
    REAL *input = (REAL *)work->input;
    int64_t size = channels * plane_of(rows, columns);
    memset(work->input + (groups_of(work) - 1) * size, 0, (size_t)size * sizeof(V));
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t g = 0; g < groups_of(work); g++)
        for (int64_t c = 0; c < channels; c++)
            EACH_PIXEL(work, g, c, channels, rows, columns, input[value] = images[image];)
}

/* Groups to images, by channel times scale and plus shift, where there are some. */
void leave(const Work *work, const V *groups, REAL *images, const int64_t *strides, int64_t channels, int64_t rows,
           int64_t columns, const double *scale, const double *shift) {
    const REAL *output = (const REAL *)groups;
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t g = 0; g < groups_of(work); g++)
        for (int64_t c = 0; c < channels; c++) {
            REAL factor = scale ? (REAL)scale[c] : 1, offset = scale ? (REAL)shift[c] : 0;
            EACH_PIXEL(work, g, c, channels, rows, columns, images[image] = output[value] * factor + offset;)
        }
}

void forward(Block *blocks, int64_t count, const Work *work) {
    for (int64_t k = 0; k < count; k++) {
        Block *b = blocks + k;
        const Block *before = k && blocks[k - 1].norm ? b - 1 : 0;
        int64_t in_plane = plane_of(b->in_rows, b->in_columns), plane = plane_of(b->rows, b->columns);
        int64_t out_plane = plane_of(out_rows(b), out_columns(b));
        pack(b, before ? before->scale : 0, 0);
        pack_bias(b, before ? before->shift : 0);
#pragma omp parallel num_threads((int)work->threads)
        EACH_SHARE(work, thread) {
            V *statistics = work->memory + thread * work->scratch;
            int measured = b->norm && work->training;
            End end = {b->class_bias, (int)b->relu, measured ? statistics : 0};
            int64_t first, last;
            share(work, thread, &first, &last);
            for (int64_t g = first; g < last; g++) {
                V *raw = b->raw + g * b->outputs * plane;
                convolve(b, &b->forward, 0, input_of(blocks, k, work) + g * b->inputs * in_plane, in_plane, b->packed,
                         raw, plane, &end);
                if (measured) group_statistics(b, statistics, valid_lanes(work, g), b->found + 2 * g * b->outputs);
                if (b->pooling) pool(b, raw, b->out + g * b->outputs * out_plane);
            }
        }
        if (b->norm) normalise(b, work);
    }
}

/* Some rows, of whole windows, of a group's gradient of the convolution's output, from that of the block's output. */
static void output_gradient(const Block *b, int64_t group, int valid, const V *gradient, int first, int last, V *g) {
    int64_t plane = plane_of(b->rows, b->columns), width = b->columns;
    int64_t windows = b->pooling ? out_columns(b) : 0, out_plane = plane_of(out_rows(b), out_columns(b));
    Slope slope = {0, 0, (int)b->relu, {0}};
    for (int l = 0; l < LANES; l++) slope.lanes_used[l] = -(l < valid);
    for (int64_t c = 0; c < b->outputs; c++) {
        const V *raw = b->raw + (group * b->outputs + c) * plane, *out = b->out + (group * b->outputs + c) * out_plane;
        const V *back = gradient + (group * b->outputs + c) * out_plane;
        V *into = g + c * plane;
        if (b->norm) slope.add = (REAL)b->add[c], slope.mul = (REAL)b->mul[c];
        int y = first;
        for (; b->pooling && y + b->window_rows <= last; y += (int)b->window_rows) {
            int64_t from = y * width, window = y / b->window_rows * windows;
            for (int64_t x = 0; x < windows; x++, window++, from += b->window_columns) {
                __builtin_prefetch(raw + from + plane); /* the next channel's, which lies too far for the processor */
                __builtin_prefetch(raw + from + plane + width);
                if (b->window_rows == 2 && b->window_columns == 2)
                    unpool(2, 2, b, &slope, raw + from, out[window], back[window], into + from);
                else
                    unpool((int)b->window_rows, (int)b->window_columns, b, &slope, raw + from, out[window], back[window], into + from);
            }
            for (int i = 0; i < b->window_rows; i++) /* columns of no window */
                for (int64_t p = (y + i) * width + windows * b->window_columns; p < (y + i + 1) * width; p++)
                    into[p] = through(&slope, raw[p], (V){0});
        }
        for (int64_t p = y * width; p < last * width; p++) { /* all rows, or those of no window */
            __builtin_prefetch(raw + p + plane);
            if (!b->pooling) __builtin_prefetch(back + p + plane);
            into[p] = through(&slope, raw[p], b->pooling ? (V){0} : back[p]);
        }
    }
}

/* The gradients of a block's parameters from the threads' sums, and those of the scale and shift of its input. */
static void gather(Block *b, const Work *work, const double *scale, const double *shift, double *scale_gradient,
                   double *shift_gradient) {
    int64_t kernel = taps_of(b);
    int count = streams_of(b);
    double *raw = b->found, *sums = b->found + b->outputs * count;
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t output = 0; output < b->outputs; output++) {
        int64_t first = 0, place = 0, wide = 1; /* of the tile with this output, and its first sum */
        for (; !b->depthwise; first += wide) {
            wide = tile_channels((int)(b->outputs - first));
            int step = tile_streams((int)wide);
            if (output < first + wide) break;
            place += (count + step - 1) / step * step * wide;
        }
        int step = tile_streams((int)wide);
        if (b->depthwise) first = output, place = output * ((count + step - 1) / step * step);
        for (int start = 0; start < count; start += step, place += step * wide)
            for (int s = 0; s < smaller(step, count - start); s++) {
                V v = {0};
                const V *of = work->memory + g_size(b) + place + (output - first) * step + s;
                for (int64_t t = 0; t < work->threads; t++) v += of[t * work->scratch];
                raw[output * count + start + s] = across(v);
            }
        for (int64_t tap = 0; tap <= kernel; tap++) {
            V v = {0};
            for (int64_t t = 0; t < work->threads; t++)
                v += work->memory[t * work->scratch + g_size(b) + products_size(b) + output * (kernel + 1) + (b->padding ? tap : kernel)];
            sums[output * (kernel + 1) + tap] = across(v);
        }
    }
    if (b->bias_gradient)
        for (int64_t output = 0; output < b->outputs; output++)
            b->bias_gradient[output] = (REAL)sums[output * (kernel + 1) + kernel];
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t input = 0; input < b->inputs; input++) {
        int64_t row = b->depthwise ? 0 : input, last = b->depthwise ? input + 1 : b->outputs;
        double factor = scale ? scale[input] : 1, offset = scale ? shift[input] : 0, by_scale = 0, by_shift = 0;
        for (int64_t output = b->depthwise ? input : 0; output < last; output++)
            EACH_TAP(b, output, row, {
                double product = raw[output * count + row * kernel + tap], sum = sums[output * (kernel + 1) + tap];
                by_scale += b->weight[at] * product;
                by_shift += b->weight[at] * sum;
                b->weight_gradient[at] = (REAL)(factor * product + offset * sum);
            })
        scale_gradient[input] = by_scale, shift_gradient[input] = by_shift;
    }
}

/* From images' gradient of what the segment gives, with any strides; the gradient of its input comes to be in
   work->gradient[count % 2], if it is wanted. */
void backward(Block *blocks, int64_t count, const Work *work, const REAL *images, const int64_t *strides, int64_t wanted,
              double *scale_gradient, double *shift_gradient) {
    Block *end = blocks + count - 1;
    int64_t rows = out_rows(end), columns = out_columns(end);
    const REAL *out = (const REAL *)end->out;
    REAL *into = (REAL *)work->gradient[0];
#pragma omp parallel for num_threads((int)work->threads) schedule(static)
    for (int64_t c = 0; c < end->outputs; c++) { /* by channel: the sums are the same for any number of threads */
        REAL factor = end->norm ? (REAL)end->scale[c] : 1;
        double scale_sum = 0, shift_sum = 0;
        for (int64_t g = 0; g < groups_of(work); g++)
            EACH_PIXEL(work, g, c, end->outputs, rows, columns, {
                scale_sum += images[image] * out[value];
                shift_sum += images[image];
                into[value] = images[image] * factor;
            })
        scale_gradient[c] = scale_sum, shift_gradient[c] = shift_sum;
    }
    for (int64_t k = count - 1; k >= 0; k--) {
        Block *b = blocks + k, *before = k && blocks[k - 1].norm ? b - 1 : 0;
        int64_t in_plane = plane_of(b->in_rows, b->in_columns), from = (count - 1 - k) % 2;
        int strip = larger(1, STRIP / (int)b->columns);
        if (b->pooling) strip = larger(1, strip / (int)b->window_rows) * (int)b->window_rows;
        if (b->norm) normalise_back(b, work, scale_gradient, shift_gradient);
        if (k || wanted) pack(b, before ? before->scale : 0, 1);
#pragma omp parallel num_threads((int)work->threads)
        EACH_SHARE(work, thread) {
            V *g = work->memory + thread * work->scratch, *sums = g + g_size(b), *by_tap = sums + products_size(b);
            V *zeros = by_tap + sums_size(b);
            const End plain = {0, 0, 0};
            int64_t first, last;
            share(work, thread, &first, &last);
            memset(sums, 0, (size_t)(scratch(b) - g_size(b)) * sizeof(V));
            for (int64_t group = first; group < last; group++) {
                const V *x = input_of(blocks, k, work) + group * b->inputs * in_plane;
                for (int y = 0; y < b->rows; y += strip) {
                    int stop = smaller((int)b->rows, y + strip);
                    output_gradient(b, group, valid_lanes(work, group), work->gradient[from], y, stop, g);
                    tap_sums(b, g, y, stop, by_tap);
                    weight_products(b, g, x, zeros + b->padding, y, stop, sums);
                }
                if (k || wanted)
                    convolve(b, &b->backward, 1, g, plane_of(b->rows, b->columns), b->packed_back,
                             work->gradient[1 - from] + group * b->inputs * in_plane, in_plane, &plain);
            }
        }
        gather(b, work, before ? before->scale : 0, before ? before->shift : 0, scale_gradient, shift_gradient);
    }
}
