/* The pair sum of diffdip/dipoles/pair_sums.py in C: the reference of ensembles.py.

   Sum over pairs i < j of m_i m_j (I - 3 r r^T/r^2)/r^3 as xx, yy, zz, xy, xz, yz. Coordinates and
   moments are in separate arrays, so that the loop over j is vectorized. */

#include <math.h>

/* Pairs of dipole i with all that follow it, added to sums. */
static inline void add_row(const float *x, const float *y, const float *z, const float *m, int n,
                           int i, float *sums)
{
    float xx = 0, yy = 0, zz = 0, xy = 0, xz = 0, yz = 0;
    for (int j = i + 1; j < n; j++) {
        float dx = x[j] - x[i], dy = y[j] - y[i], dz = z[j] - z[i];
        float inverse = 1 / sqrtf(dx * dx + dy * dy + dz * dz);
        float second = inverse * inverse;
        float first = m[j] * inverse * second, third = 3 * first * second;
        float tx = third * dx, ty = third * dy, tz = third * dz;
        xx += first - tx * dx;
        yy += first - ty * dy;
        zz += first - tz * dz;
        xy -= tx * dy;
        xz -= tx * dz;
        yz -= ty * dz;
    }
    sums[0] += m[i] * xx;
    sums[1] += m[i] * yy;
    sums[2] += m[i] * zz;
    sums[3] += m[i] * xy;
    sums[4] += m[i] * xz;
    sums[5] += m[i] * yz;
}

/* Many systems of n dipoles each, shared among the cores; sums of system s start at 6 s. */
void many_systems(const float *x, const float *y, const float *z, const float *m, int systems,
                  int n, float *sums)
{
#pragma omp parallel for schedule(dynamic)
    for (int s = 0; s < systems; s++) {
        const long start = (long)s * n;
        float own[6] = {0};
        for (int i = 0; i < n; i++)
            add_row(x + start, y + start, z + start, m + start, n, i, own);
        for (int k = 0; k < 6; k++)
            sums[6 * s + k] = own[k];
    }
}

/* One large system, whose rows are shared among the cores. */
void one_system(const float *x, const float *y, const float *z, const float *m, int n, float *sums)
{
    float xx = 0, yy = 0, zz = 0, xy = 0, xz = 0, yz = 0;
#pragma omp parallel for schedule(dynamic, 16) reduction(+ : xx, yy, zz, xy, xz, yz)
    for (int i = 0; i < n; i++) {
        float own[6] = {0};
        add_row(x, y, z, m, n, i, own);
        xx += own[0];
        yy += own[1];
        zz += own[2];
        xy += own[3];
        xz += own[4];
        yz += own[5];
    }
    sums[0] = xx;
    sums[1] = yy;
    sums[2] = zz;
    sums[3] = xy;
    sums[4] = xz;
    sums[5] = yz;
}
