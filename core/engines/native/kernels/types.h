/* What all kernels share: vectors, the structs that Python fills in, and the sizes of things.

   docs/native-kernels.md says what the kernels do, with the layout drawn and the gradients derived. In short: a vector
   holds one pixel of one channel of as many images as it has lanes. Such a group of images is worked on by one thread,
   and a tensor is [group][channel][row][column] of vectors. Lanes of the last group that have no image are computed
   like the others and left out of every sum. */

#ifndef TYPES_H
#define TYPES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef DOUBLE /* how the library for float64 is compiled */
typedef double Real;
typedef int64_t RealBits; /* an integer as wide as a Real */
#define REAL_BYTES 8
#else
typedef float Real;
typedef int32_t RealBits;
#define REAL_BYTES 4
#endif

/* The width of vectors, and the most channels of a tile (docs/native-kernels.md has the table). */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define MOST_CHANNELS 8 /* with 3 pixels, 24 of the 32 registers hold sums */
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define MOST_CHANNELS 4 /* with 3 pixels, 12 of the 16 registers hold sums */
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define MOST_CHANNELS 8
#else
#define VECTOR_BYTES 16
#define MOST_CHANNELS 4
#endif

#define LANES (VECTOR_BYTES / REAL_BYTES)
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)") /* a loop whose bounds are constants where it is inlined */
#define UNROLL_CONSTANT                           /* one whose bounds are constants in some places only */
#else
#define UNROLL _Pragma("GCC unroll 32")
#define UNROLL_CONSTANT UNROLL
#endif

typedef Real Vector __attribute__((vector_size(VECTOR_BYTES)));
typedef RealBits Mask __attribute__((vector_size(VECTOR_BYTES))); /* of each lane all bits, or none */

/* ---- The structs that Python fills in ----

   Each is one table, FIELD(type, name), from which the struct is declared here and described in passes.c; when the
   library is loaded, structures.py compares that description with its own structures. */

#define DECLARE(type, name) type name;

/* The order in which a convolution goes over a map. Pixels with the same taps are a class; taps that follow each other
   in the kernel and read values side by side are a run. All offsets count vectors. */
#define TRAVERSAL_FIELDS(FIELD)                                                                                        \
    FIELD(int64_t, classes)                                                                                            \
    FIELD(const int32_t *, first_pixel) /* of each class, and the end */                                               \
    FIELD(const int32_t *, first_run)   /* of each class, and the end */                                               \
    FIELD(const int32_t *, run_length)  /* of each class: taps in each of its runs */                                  \
    FIELD(const int32_t *, weight)      /* of each run: the number of its first weight among those of an output */     \
    FIELD(const int32_t *, offset)      /* of each run: where its first tap reads, counted from the pixel's `reads` */ \
    FIELD(const int32_t *, reads)       /* of each pixel: where its first tap reads */                                 \
    FIELD(const int32_t *, writes)      /* of each pixel: where its sum is written */
typedef struct {
    TRAVERSAL_FIELDS(DECLARE)
} Traversal;

/* The maps of all groups. */
#define MAPS_FIELDS(FIELD)                                                                                             \
    FIELD(Vector *, vectors)                                                                                           \
    FIELD(int64_t, size) /* vectors of a group */
typedef struct {
    MAPS_FIELDS(DECLARE)
} Maps;

typedef int64_t Strides[4];
enum { NO_POOLING, MAX_POOLING, MEAN_POOLING };

/* What lies between a block's norm and pooling and the next block, where it cannot be folded into the weights of the
   latter: an activation, a dropout and a pooling, in this order. */
#define TRANSITION_FIELDS(FIELD)                                                                                       \
    FIELD(int64_t, activation)                                                                                         \
    FIELD(double, slope)                 /* of what is negative, in a leaky ReLU; that at 0 from below, in an ELU */   \
    FIELD(const Real *, channel_factors) /* (image, channel), of a dropout of channels; or none */                     \
    FIELD(const uint8_t *, kept)         /* (image, value), of a dropout of values; or none */                         \
    FIELD(int64_t, channel_stride)       /* of the values of an image */                                               \
    FIELD(int64_t, pixel_stride)                                                                                       \
    FIELD(uint16_t *, kept_lanes)        /* [group][value], a bit for each lane */                                     \
    FIELD(double, kept_factor)                                                                                         \
    FIELD(int64_t, pooling)                                                                                            \
    FIELD(int64_t, window_rows)                                                                                        \
    FIELD(int64_t, window_columns)                                                                                     \
    FIELD(int64_t, row_stride)                                                                                         \
    FIELD(int64_t, column_stride)                                                                                      \
    FIELD(int64_t, row_padding)                                                                                        \
    FIELD(int64_t, column_padding)                                                                                     \
    FIELD(int64_t, rows) /* after it */                                                                                \
    FIELD(int64_t, columns)
typedef struct {
    TRANSITION_FIELDS(DECLARE)
} Transition;

enum { NO_ACTIVATION, RELU, LEAKY_RELU, ELU, SILU, GELU, TANH, SIGMOID };

/* A convolution, the ReLU, batch norm and pooling that follow it, and the transition to the next block. */
#define BLOCK_FIELDS(FIELD)                                                                                            \
    FIELD(int64_t, inputs) /* channels */                                                                              \
    FIELD(int64_t, outputs)                                                                                            \
    FIELD(int64_t, in_rows) /* before the convolution */                                                               \
    FIELD(int64_t, in_columns)                                                                                         \
    FIELD(int64_t, rows) /* after it, before the pooling */                                                            \
    FIELD(int64_t, columns)                                                                                            \
    FIELD(int64_t, kernel_rows)                                                                                        \
    FIELD(int64_t, kernel_columns)                                                                                     \
    FIELD(int64_t, row_stride)                                                                                         \
    FIELD(int64_t, column_stride)                                                                                      \
    FIELD(int64_t, row_padding)                                                                                        \
    FIELD(int64_t, column_padding)                                                                                     \
    FIELD(int64_t, row_dilation)                                                                                       \
    FIELD(int64_t, column_dilation)                                                                                    \
    FIELD(int64_t, depthwise)                                                                                          \
    FIELD(int64_t, copies)      /* there is no convolution: the raw output is the input */                             \
    FIELD(int64_t, transformed) /* the input is what the transition of the block before makes of its output */         \
    FIELD(int64_t, relu)                                                                                               \
    FIELD(int64_t, norm)                                                                                               \
    FIELD(int64_t, pooling)                                                                                            \
    FIELD(int64_t, window_rows)                                                                                        \
    FIELD(int64_t, window_columns)                                                                                     \
    FIELD(Transition, transition)                                                                                      \
    FIELD(Traversal, forward)                                                                                          \
    FIELD(Traversal, backward)                                                                                         \
    FIELD(const int32_t *, read_plane) /* of each weight of an output: where the channel it is applied to begins, */   \
    FIELD(const int32_t *, read_row)   /* and the row and column of it that the output in the corner reads */          \
    FIELD(const int32_t *, read_column)                                                                                \
    FIELD(Strides, weight_strides)                                                                                     \
    FIELD(const Real *, weight)                                                                                        \
    FIELD(const Real *, bias)                                                                                          \
    FIELD(const Real *, gamma)                                                                                         \
    FIELD(const Real *, beta)                                                                                          \
    FIELD(Real *, running_mean)                                                                                        \
    FIELD(Real *, running_variance)                                                                                    \
    FIELD(int64_t *, batches) /* that the running statistics have taken in */                                          \
    FIELD(Real *, weight_gradient)                                                                                     \
    FIELD(Real *, bias_gradient)                                                                                       \
    FIELD(Real *, gamma_gradient)                                                                                      \
    FIELD(Real *, beta_gradient)                                                                                       \
    FIELD(double, eps)                                                                                                 \
    FIELD(double, momentum)                                                                                            \
    FIELD(Maps, raw) /* the output before norm and pooling; backward, the gradient of the input is written over it */  \
    FIELD(Maps, out) /* the pooled output, or `raw` where nothing is pooled */                                         \
    FIELD(Real *, packed)                                                                                              \
    FIELD(Real *, packed_backward)                                                                                     \
    FIELD(Real *, class_bias)                                                                                          \
    FIELD(double *, mean) /* by output, like the next five */                                                          \
    FIELD(double *, inverse_deviation)                                                                                 \
    FIELD(double *, scale) /* the normalised output is raw * scale + shift */                                          \
    FIELD(double *, shift)                                                                                             \
    FIELD(double *, statistics_add) /* what the batch's statistics add to the gradient of raw: this, */                \
    FIELD(double *, statistics_mul) /* and this times raw */                                                           \
    FIELD(int64_t, chunks)          /* of the groups; each has sums of its own in the backward pass */                 \
    FIELD(const int32_t *, first_group) /* of each chunk, and the end */                                               \
    FIELD(double *, partial_sums) /* forward [group][output][2]; backward, of type Real, [chunk][sum] */
typedef struct {
    BLOCK_FIELDS(DECLARE)
} Block;

/* A batch, and the memory that a segment works in. */
#define WORKSPACE_FIELDS(FIELD)                                                                                        \
    FIELD(int64_t, images)                                                                                             \
    FIELD(int64_t, threads) /* that work on it, at most */                                                             \
    FIELD(int64_t, spin)    /* nanoseconds that a thread waits for others before it sleeps */                          \
    FIELD(int64_t, timed)   /* whether it is measured how long threads wait for a core */                              \
    FIELD(int64_t, training)        /* whether norms take the batch's statistics, or else the running ones */          \
    FIELD(int64_t, scratch_vectors) /* of each thread */                                                               \
    FIELD(Vector *, scratch)                                                                                           \
    FIELD(Maps, input)    /* of the segment */                                                                         \
    FIELD(Maps, gradient) /* of the segment's output */
typedef struct {
    WORKSPACE_FIELDS(DECLARE)
} Workspace;

/* ---- Small things ---- */

INLINE int smaller(int a, int b) { return a < b ? a : b; }
INLINE int larger(int a, int b) { return a > b ? a : b; }

INLINE Vector *group_of(Maps maps, int64_t group) { return maps.vectors + group * maps.size; }
INLINE Maps from_group(Maps maps, int64_t group) { return (Maps){group_of(maps, group), maps.size}; }

/* `v` where the mask is set, and 0 elsewhere. */
INLINE Vector masked(Mask mask, Vector v) { return (Vector)((Mask)v & mask); }

INLINE Mask first_lanes(int count) {
    Mask mask = {0};
    for (int l = 0; l < count; l++) mask[l] = -1;
    return mask;
}

/* Vectors from one channel of a map to the next. Odd, or the same pixel of all channels would fall into few sets of the
   cache and push each other out. */
INLINE int64_t plane_size(int64_t rows, int64_t columns) { return rows * columns | 1; }

static int64_t in_plane(const Block *b) { return plane_size(b->in_rows, b->in_columns); }
static int64_t raw_plane(const Block *b) { return plane_size(b->rows, b->columns); }
static int64_t raw_size(const Block *b) { return b->outputs * raw_plane(b); } /* vectors of a group */
static int64_t out_rows(const Block *b) { return b->pooling ? b->rows / b->window_rows : b->rows; }
static int64_t out_columns(const Block *b) { return b->pooling ? b->columns / b->window_columns : b->columns; }

static int64_t out_plane(const Block *b) { return plane_size(out_rows(b), out_columns(b)); }
static int64_t in_size(const Block *b) { return b->inputs * in_plane(b); }
static int pads(const Block *b) { return b->row_padding || b->column_padding; }

static int64_t taps_of(const Block *b) { return b->kernel_rows * b->kernel_columns; }
static int64_t inputs_per_output(const Block *b) { return b->depthwise ? 1 : b->inputs; }
static int weights_per_output(const Block *b) { return (int)(taps_of(b) * inputs_per_output(b)); }
INLINE int64_t weight_at(const Block *b, int64_t output, int64_t input, int64_t row, int64_t column) {
    const int64_t *by = b->weight_strides;
    return output * by[0] + input * by[1] + row * by[2] + column * by[3];
}

/* Channels of the next tile, where so many are left. */
INLINE int tile_channels(int left) { return left >= MOST_CHANNELS ? MOST_CHANNELS : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

static int64_t groups_of(const Workspace *work) { return (work->images + LANES - 1) / LANES; }

/* Lanes of a group that hold an image. */
static int lanes_used(const Workspace *work, int64_t group) {
    return (int)(work->images - group * LANES < LANES ? work->images - group * LANES : LANES);
}

#endif
