/* Batch norm: statistics, the scale and shift that it amounts to, and its gradients. */

#ifndef NORM_H
#define NORM_H

#include "types.h"

/* Mean, and sum of squared deviations from it, of each output over a group's images: two numbers each. */
static void group_statistics(const Block *b, const Vector *statistics, int lanes, double *found) {
    double pixels = (double)(b->rows * b->columns), part = 1 / pixels;
    for (int64_t c = 0; c < b->outputs; c++) {
        Vector pivot = statistics[3 * c], total = statistics[3 * c + 1], squares = statistics[3 * c + 2];
        double mean = 0, deviation = 0;
        for (int l = 0; l < lanes; l++) mean += pivot[l] + total[l] * part;
        mean /= lanes;
        for (int l = 0; l < lanes; l++) {
            double off = pivot[l] + total[l] * part - mean;
            deviation += squares[l] - total[l] * (total[l] * part) + pixels * off * off;
        }
        found[2 * c] = mean, found[2 * c + 1] = deviation;
    }
}

/* An output's mean and variance over the batch, which the running ones take in. */
static void batch_statistics(Block *b, const Workspace *work, int64_t c, double *mean, double *variance) {
    double pixels = (double)(b->rows * b->columns), count = pixels * (double)work->images, deviation = 0;
    *mean = 0;
    for (int64_t g = 0; g < groups_of(work); g++)
        *mean += b->partial_sums[2 * (g * b->outputs + c)] * lanes_used(work, g) / (double)work->images;
    for (int64_t g = 0; g < groups_of(work); g++) {
        const double *found = b->partial_sums + 2 * (g * b->outputs + c);
        deviation += found[1] + (found[0] - *mean) * (found[0] - *mean) * pixels * lanes_used(work, g);
    }
    *variance = deviation / count;
    b->running_mean[c] += (Real)(b->momentum * (*mean - b->running_mean[c]));
    b->running_variance[c] += (Real)(b->momentum * (deviation / (count - 1) - b->running_variance[c]));
}

/* The scale and shift of each output, from the batch's statistics in training and else from the running ones. */
static void norm_forward(Block *b, const Workspace *work) {
    if (work->training) ++*b->batches;
    for (int64_t c = 0; c < b->outputs; c++) {
        double mean = b->running_mean[c], variance = b->running_variance[c];
        if (work->training) batch_statistics(b, work, c, &mean, &variance);
        b->mean[c] = mean;
        b->inverse_deviation[c] = 1 / sqrt(variance + b->eps);
        b->scale[c] = (b->gamma ? b->gamma[c] : 1) * b->inverse_deviation[c];
        b->shift[c] = (b->beta ? b->beta[c] : 0) - mean * b->scale[c];
    }
}

/* From the gradients of scale and shift, those of gamma and beta, and what the statistics add to that of raw. */
static void norm_backward(Block *b, const Workspace *work, const double *scale_gradient,
                          const double *shift_gradient) {
    double count = (double)(b->rows * b->columns * work->images);
    for (int64_t c = 0; c < b->outputs; c++) {
        double slope = (scale_gradient[c] - b->mean[c] * shift_gradient[c]) * b->inverse_deviation[c];
        if (b->gamma_gradient) b->gamma_gradient[c] = (Real)slope;
        if (b->beta_gradient) b->beta_gradient[c] = (Real)shift_gradient[c];
        b->statistics_mul[c] = -slope * b->scale[c] * b->inverse_deviation[c] / count;
        b->statistics_add[c] = -shift_gradient[c] * b->scale[c] / count - b->statistics_mul[c] * b->mean[c];
    }
}

/* How the gradient of one channel goes back through the norm's statistics and the ReLU. */
typedef struct {
    Real add, mul;
    int relu;
    Mask lanes_used;
} RawSlope;

INLINE Vector raw_gradient(const RawSlope *slope, Vector raw, Vector gradient) {
    Vector v = gradient + (slope->add + slope->mul * raw);
    if (slope->relu) v = masked(~(Mask)(raw <= 0), v);
    return masked(slope->lanes_used, v);
}

#endif
