// Points of a map counted by pixel and ink, with the pixels, the borders and the rounding of Datashader's `Point`. It includes
// nothing: NVRTC, nvcc and, behind tests/cuda_host.hpp, a C++ compiler can read it.
//
// Same points, same bytes: only integers are added atomically, which gives the same sum in any order.

typedef unsigned long long u64;

// A number in double precision. CuPy compiles all kernels with -ftz=true, by which the plain conversion would take a float
// below 1.2e-38 for zero.
__device__ double wide(double number) { return number; }
#ifdef __CUDACC__
__device__ double wide(float number) {
    double result;
    asm("cvt.f64.f32 %0, %1;" : "=d"(result) : "f"(number));
    return result;
}
#else
__device__ double wide(float number) { return (double)number; }
#endif

// The pixel of a coordinate along one axis. Product and sum are rounded apart, as on a processor: fused, a point on a
// pixel's edge would fall to the other side. A window so narrow that rounding puts a point before the first pixel counts it
// from the end, as Datashader's compiled loop does; what it would write outside the grid then goes to the border.
__device__ int pixel(double at, double scale, double shift, int size) {
    const double place = __dadd_rn(__dmul_rn(at, scale), shift);
    if (!(place < (double)size)) return size - 1;
    if (place > -1.0) return (int)place;
    return place > -1.0 - (double)size ? (int)place + size : 0;
}

// Counts are (height, width, inks). Of the inks before `measured`, values times a power of two are summed too, in two
// integers for each pixel: what is before the point, and what is behind it times `fine`.
template <typename T>
__device__ void count(long long n, int width, int height, int inks, int measured, double x0, double x1, double x_scale,
                      double x_shift, double y0, double y1, double y_scale, double y_shift, double scale, double fine,
                      const T* xs, const T* ys, const signed char* codes, const float* values, unsigned int* counts,
                      u64* sums) {
    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const double x = wide(xs[i]), y = wide(ys[i]);
    if (!(x0 <= x && x <= x1 && y0 <= y && y <= y1)) return;
    const int ink = codes[i];
    const long long spot = (long long)pixel(y, y_scale, y_shift, height) * width + pixel(x, x_scale, x_shift, width);
    atomicAdd(&counts[spot * inks + ink], 1u);
    if (ink >= measured) return;
    const double value = wide(values[i]) * scale;
    const long long whole = llrint(value);
    atomicAdd(&sums[2 * spot], (u64)whole);
    atomicAdd(&sums[2 * spot + 1], (u64)llrint((value - (double)whole) * fine));
}

extern "C" __global__ void count_float(long long n, int width, int height, int inks, int measured, double x0, double x1,
                                       double x_scale, double x_shift, double y0, double y1, double y_scale,
                                       double y_shift, double scale, double fine, const float* xs, const float* ys,
                                       const signed char* codes, const float* values, unsigned int* counts, u64* sums) {
    count(n, width, height, inks, measured, x0, x1, x_scale, x_shift, y0, y1, y_scale, y_shift, scale, fine, xs, ys,
          codes, values, counts, sums);
}

extern "C" __global__ void count_double(long long n, int width, int height, int inks, int measured, double x0, double x1,
                                        double x_scale, double x_shift, double y0, double y1, double y_scale,
                                        double y_shift, double scale, double fine, const double* xs, const double* ys,
                                        const signed char* codes, const float* values, unsigned int* counts, u64* sums) {
    count(n, width, height, inks, measured, x0, x1, x_scale, x_shift, y0, y1, y_scale, y_shift, scale, fine, xs, ys,
          codes, values, counts, sums);
}
