// The optimisation: charges on the grid, the potential read back, and the move of every point.

// Places in `constants` (float) and `scales` (double), which the host writes, and in `progress`, which the kernels keep.
enum { X0, Y0, NODES, OWN, PULL = OWN + 7, RATE, MOMENTUM };
enum { OFFSET, LEAST, SCALE };
enum { DONE, LIMIT, LEFT, LEAVING, SUM, BLOCKS };

#define MAP_LANES 16     // One for each node that a point touches.
#define LONGEST 5.0f     // Longest move along an axis in one iteration.
#define CHARGE 4294967296.0f  // A unit charge as an integer: 32 bits after the point, 2^32 points at most.

// Where a point is on the grid: the first of its 4 x 4 nodes, and its place between the second and third.
struct Spot {
    long long corner;
    float s, t;
    bool inside;
};

__device__ Spot locate(float2 point, const float* constants, int mx, int my, int pitch) {
    const float nodes = constants[NODES];
    const float u = (point.x - constants[X0]) * nodes, v = (point.y - constants[Y0]) * nodes;
    Spot spot;
    spot.inside = u >= 1.0f && u < (float)(mx - 3) && v >= 1.0f && v < (float)(my - 3);
    const int i = spot.inside ? (int)u : 1, j = spot.inside ? (int)v : 1;
    spot.s = u - (float)i;
    spot.t = v - (float)j;
    spot.corner = (long long)(i - 1) * pitch + j - 1;
    return spot;
}

// Add a unit charge to the grid, each lane its share of the 16 nodes.
__device__ void charge(u64* charges, Spot spot, int my, int lane, int lanes) {
    for (int node = lane; node < 16; node += lanes) {
        const int a = node / 4, b = node % 4;
        const float weight = spline(spot.s + 1.0f - (float)a) * spline(spot.t + 1.0f - (float)b);
        atomicAdd(&charges[spot.corner + a * my + b], (u64)(weight * CHARGE));
    }
}

// Field and slopes per node at a point, less what it has of itself (see `grid._own`): s in x, slopes in y and z.
__device__ float3 interpolate(const float* potential, Spot spot, int pitch, const float* constants, int lane, int lanes) {
    float s = 0.0f, along = 0.0f, across = 0.0f;
    for (int node = lane; node < 16; node += lanes) {
        const int a = node / 4, b = node % 4;
        const float q = potential[spot.corner + a * pitch + b];
        const float da = spot.s + 1.0f - (float)a, db = spot.t + 1.0f - (float)b;
        const float wa = spline(da), wb = spline(db);
        s += q * wa * wb;
        along += q * spline_slope(da) * wb;
        across += q * wa * spline_slope(db);
    }
    s = together(s, lanes);
    along = together(along, lanes);
    across = together(across, lanes);
    const float x = spot.s - 0.5f, y = spot.t - 0.5f, xx = x * x, yy = y * y;
    const float* own = constants + OWN;
    s -= own[0] + own[1] * (xx + yy) + own[2] * (xx * xx + yy * yy) + own[3] * xx * yy;
    along -= x * (xx - 0.25f) * (own[4] + own[5] * xx + own[6] * yy);
    across -= y * (yy - 0.25f) * (own[4] + own[5] * yy + own[6] * xx);
    return make_float3(s, along, across);
}

// Mean, least and greatest of the points along both axes, rows of two, by one block. Where a point is no number the mean is
// none either.
extern "C" __launch_bounds__(1024, 1) __global__ void extent(int n, const float2* points, double* result) {
    __shared__ double parts[32][6];
    const int lanes = LANES(32), groups = blockDim.x / lanes;
    double sum_x = 0.0, sum_y = 0.0;
    float2 low = points[0], high = low;
#pragma unroll 4
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        const float2 point = points[i];
        sum_x += (double)point.x;
        sum_y += (double)point.y;
        low = make_float2(fminf(low.x, point.x), fminf(low.y, point.y));
        high = make_float2(fmaxf(high.x, point.x), fmaxf(high.y, point.y));
    }
    const double found[6] = {together(sum_x, lanes), together(sum_y, lanes), least_of(low.x, lanes),
                             least_of(low.y, lanes), -least_of(-high.x, lanes), -least_of(-high.y, lanes)};
    if (lane_of(lanes) == 0)
        for (int i = 0; i < 6; i++) parts[threadIdx.x / lanes][i] = found[i];
    __syncthreads();
    for (int i = threadIdx.x; i < 6; i += blockDim.x) {
        double value = parts[0][i];
        for (int group = 1; group < groups; group++) {
            const double other = parts[group][i];
            value = i < 2 ? value + other : i < 4 ? fmin(value, other) : fmax(value, other);
        }
        result[i] = i < 2 ? value / n : value;
    }
}

// Charges of all points, which all lie on the grid.
extern "C" __global__ void spread(int n, int mx, int my, const float2* points, const float* constants, u64* charges) {
    const int lanes = LANES(MAP_LANES);
    const long long row = row_of(lanes);
    if (row < n) charge(charges, locate(points[row], constants, mx, my, my), my, lane_of(lanes), lanes);
}

// The integer charges as floats in the corner of the padded grid, and emptied.
extern "C" __global__ void density(int mx, int my, int pitch, u64* charges, float* padded) {
    const long long item = item_of();
    if (item >= (long long)mx * my) return;
    padded[item / my * pitch + item % my] = (float)charges[item] * (1.0f / CHARGE);
    charges[item] = 0;
}

// Multiply the density's transform by the kernel's, which is real.
extern "C" __global__ void convolve(long long size, const float* influence, float2* spectrum) {
    const long long item = item_of();
    if (item >= size) return;
    const float factor = influence[item];
    float2 value = spectrum[item];
    value.x *= factor;
    value.y *= factor;
    spectrum[item] = value;
}

// S less a point's own and its slopes along x and y, rows of three.
extern "C" __global__ void field(int n, int mx, int my, int pitch, const float2* points, const float* potential,
                                 const float* constants, float* result) {
    const int lanes = LANES(MAP_LANES), lane = lane_of(lanes);
    const long long row = row_of(lanes), r = row < n ? row : n - 1;
    const float3 s = interpolate(potential, locate(points[r], constants, mx, my, pitch), pitch, constants, lane, lanes);
    const float nodes = constants[NODES];
    if (row < n && lane == 0) {
        result[3 * row] = s.x;
        result[3 * row + 1] = s.y * nodes;
        result[3 * row + 2] = s.z * nodes;
    }
}

// Sum of p w (y_i - y_j) over the edges of a point.
__device__ float2 attract(const Edge* edges, const float2* points, float2 point, long long start, long long stop,
                          int lane, int lanes) {
    float x = 0.0f, y = 0.0f;
#pragma unroll 4
    for (long long k = start + lane; k < stop; k += lanes) {
        const Edge edge = edges[k];
        const float2 other = points[edge.column];
        const float dx = point.x - other.x, dy = point.y - other.y;
        const float w = __fdividef(edge.p, 1.0f + dx * dx + dy * dy);
        x += w * dx;
        y += w * dy;
    }
    return make_float2(together(x, lanes), together(y, lanes));
}

// One coordinate: Jacobs' gain, up by 0.2 while it goes downhill and down by a fifth when it overshoots, and momentum.
__device__ float move(float gradient, float rate, float momentum, float* gain, float* velocity) {
    float g = *gain;
    g = gradient * *velocity < 0.0f ? g + 0.2f : fmaxf(g * 0.8f, 0.01f);
    const float v = fminf(fmaxf(momentum * *velocity - rate * g * gradient, -LONGEST), LONGEST);
    *gain = g;
    *velocity = v;
    return v;
}

// The last block of a step counts the iteration and makes the Z of the next one.
__device__ void close_step(int n, const double* scales, u64* progress, double* z) {
    const double pairs = (double)n * ((double)n - 1.0);
    const double sum = (double)(long long)atomicAdd(&progress[SUM], (u64)0) / scales[SCALE];
    z[0] = fmax(sum + scales[OFFSET] * pairs, scales[LEAST] * pairs);
    progress[LEFT] = atomicAdd(&progress[LEAVING], (u64)0);
    progress[DONE] += 1;
    progress[SUM] = progress[LEAVING] = progress[BLOCKS] = 0;
}

// Everything that concerns one point, 16 lanes a point: attraction, repulsion, gains, momentum, the move, its charge on
// the grid for the next iteration. Nothing happens once the limit is reached or a point has left the grid, so that the
// host may queue iterations ahead; the map is in `even` and `odd` by turns.
extern "C" __global__ void step(int n, int mx, int my, int pitch, const long long* __restrict__ indptr,
                                const Edge* __restrict__ edges,
                                float2* even, float2* odd, float2* velocities, float2* gains,
                                const float* __restrict__ potential,
                                u64* charges, const float* constants, const double* scales, u64* progress,
                                double* z) {
    __shared__ u64 sums[2];
    if (progress[LEFT] != 0 || progress[DONE] >= progress[LIMIT]) return;
    if (threadIdx.x == 0) sums[0] = sums[1] = 0;
    __syncthreads();
    const int lanes = LANES(MAP_LANES), lane = lane_of(lanes);
    const long long row = row_of(lanes), r = row < n ? row : n - 1;
    const float2* old = progress[DONE] % 2 ? odd : even;
    float2* next = progress[DONE] % 2 ? even : odd;
    const float2 point = old[r];
    float2 velocity = velocities[r], gain = gains[r], moved;
    __syncwarp();  // All lanes have read what the first one will write.
    const float3 s = interpolate(potential, locate(point, constants, mx, my, pitch), pitch, constants, lane, lanes);
    const float2 pull = attract(edges, old, point, indptr[r], indptr[r + 1], lane, lanes);
    if (row < n) {
        const float push = 2.0f * constants[NODES] / (float)z[0];
        const float rate = constants[RATE], momentum = constants[MOMENTUM];
        moved.x = point.x + move(constants[PULL] * pull.x + push * s.y, rate, momentum, &gain.x, &velocity.x);
        moved.y = point.y + move(constants[PULL] * pull.y + push * s.z, rate, momentum, &gain.y, &velocity.y);
        const Spot spot = locate(moved, constants, mx, my, my);
        if (spot.inside) charge(charges, spot, my, lane, lanes);
        if (lane == 0) {
            next[row] = moved;
            velocities[row] = velocity;
            gains[row] = gain;
            atomicAdd(&sums[0], (u64)llrint((double)s.x * scales[SCALE]));
            if (!spot.inside) atomicAdd(&sums[1], (u64)1);
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(&progress[SUM], sums[0]);
        atomicAdd(&progress[LEAVING], sums[1]);
        __threadfence();
        if (atomicAdd(&progress[BLOCKS], (u64)1) == gridDim.x - 1) close_step(n, scales, progress, z);
    }
}

// For every `stride`-th row: sums of p log(1 + d^2) and of p over its edges, which KL needs beside Z.
extern "C" __global__ void divergence(int rows, int stride, const long long* indptr, const Edge* edges,
                                      const float2* points, double* result) {
    const int lanes = LANES(MAP_LANES), lane = lane_of(lanes);
    const long long row = row_of(lanes), r = (row < rows ? row : rows - 1) * stride;
    const float2 point = points[r];
    double weighted = 0.0, weight = 0.0;
    for (long long k = indptr[r] + lane; k < indptr[r + 1]; k += lanes) {
        const Edge edge = edges[k];
        const float2 other = points[edge.column];
        const float dx = point.x - other.x, dy = point.y - other.y;
        weighted += (double)(edge.p * logf(1.0f + dx * dx + dy * dy));
        weight += (double)edge.p;
    }
    weighted = together(weighted, lanes);
    weight = together(weight, lanes);
    if (row < rows && lane == 0) {
        result[2 * row] = weighted;
        result[2 * row + 1] = weight;
    }
}

// Slopes of S at some points from the sum over all points, in float64, one warp a point.
extern "C" __global__ void exact_slopes(int count, int n, const long long* rows, const float2* points, double* result) {
    const int lanes = LANES(32), lane = lane_of(lanes);
    const long long row = row_of(lanes);
    const float2 point = points[rows[row < count ? row : count - 1]];
    double along = 0.0, across = 0.0;
    for (int j = lane; j < n; j += lanes) {
        const double dx = (double)point.x - (double)points[j].x, dy = (double)point.y - (double)points[j].y;
        const double w = 1.0 / (1.0 + dx * dx + dy * dy);
        along -= 2.0 * dx * w * w;
        across -= 2.0 * dy * w * w;
    }
    along = together(along, lanes);
    across = together(across, lanes);
    if (row < count && lane == 0) {
        result[2 * row] = along;
        result[2 * row + 1] = across;
    }
}
