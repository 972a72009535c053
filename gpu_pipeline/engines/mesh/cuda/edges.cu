// From neighbours to symmetric affinities in compressed rows.

#define ROUNDS 100  // Steps of the bandwidth search at most; Newton's need four to eight.

// Conditional affinities of one row, exp(-beta d) with the entropy log(perplexity) for squared distances d, by Newton's
// method on log beta inside a bracket; the same steps as `affinities._search_bandwidths`. A warp a row.
extern "C" __global__ void bandwidths(int n, int k, double perplexity, const float* distances, float* p) {
    const int lanes = LANES(32), lane = lane_of(lanes);
    const long long row = row_of(lanes), first = (row < n ? row : n - 1) * k;
    const double wanted = log(perplexity), infinity = 1e300;
    double least = infinity, mean = 0.0;
    for (int j = lane; j < k; j += lanes) {
        least = fmin(least, (double)distances[first + j]);
        mean += (double)distances[first + j];
    }
    least = least_of(least, lanes);
    mean = together(mean, lanes);
    double low = -infinity, high = infinity, beta = 0.0, s = k;
    double x = -log(fmax(mean / k - least, 1e-30));
    for (int round = 0; round < ROUNDS; round++) {
        double sd = 0.0, sdd = 0.0;
        beta = exp(x);
        s = 0.0;
        for (int j = lane; j < k; j += lanes) {
            const double d = (double)distances[first + j] - least, e = exp(-beta * d);
            s += e;
            sd += e * d;
            sdd += e * d * d;
        }
        s = together(s, lanes);
        sd = together(sd, lanes);
        sdd = together(sdd, lanes);
        const double gap = log(s) + beta * sd / s - wanted;
        if (fabs(gap) < 1e-6) break;
        if (gap > 0.0) low = x;
        else high = x;
        const double slope = beta * beta * (sdd / s - (sd / s) * (sd / s));
        x += fmin(fmax(gap / fmax(slope, 1e-12), -2.0), 2.0);
        if (x <= low || x >= high) x = high == infinity ? low + 2.0 : low == -infinity ? high - 2.0 : (low + high) / 2.0;
        if (high - low < 1e-12 || fabs(x) > 80.0) break;
    }
    if (row >= n) return;
    for (int j = lane; j < k; j += lanes)
        p[first + j] = (float)(exp(-beta * ((double)distances[first + j] - least)) / s);
}

// For each edge from i to j: the affinity of j to i, or -1 where i is no neighbour of j, which is counted.
extern "C" __global__ void match(int n, int k, const int* indices, const float* p, float* back, int* lonely) {
    const long long item = item_of();
    if (item >= (long long)n * k) return;
    const int i = (int)(item / k), j = indices[item];
    float found = -1.0f;
    for (int a = 0; a < k; a++)
        if (indices[(long long)j * k + a] == i) found = p[(long long)j * k + a];
    back[item] = found;
    if (found < 0.0f) atomicAdd(&lonely[j], 1);
}

// The edges that each point has by its own neighbours, at the front of its row.
extern "C" __global__ void fill_own(int n, int k, float scale, const int* indices, const float* p, const float* back,
                                    const int* place, const long long* indptr, Edge* edges) {
    const long long item = item_of();
    if (item >= (long long)n * k) return;
    Edge edge;
    edge.column = (unsigned int)place[indices[item]];
    edge.p = (p[item] + fmaxf(back[item], 0.0f)) * scale;
    edges[indptr[place[item / k]] + item % k] = edge;
}

// The edges that others have to a point and it not to them; `items` holds them in the order of their rows.
extern "C" __global__ void fill_lonely(long long count, int k, float scale, const long long* items, const int* indices,
                                       const float* p, const int* place, const long long* first, const long long* indptr,
                                       Edge* edges) {
    const long long number = item_of();
    if (number >= count) return;
    const long long item = items[number];
    const int row = place[indices[item]];
    Edge edge;
    edge.column = (unsigned int)place[item / k];
    edge.p = p[item] * scale;
    edges[indptr[row] + k + number - first[row]] = edge;
}

// Rows in another order, their columns renumbered: new row r is old row order[r].
extern "C" __global__ void renumber(int n, const int* order, const int* place, const long long* old_indptr,
                                    const Edge* old_edges, const long long* indptr, Edge* edges) {
    const int lanes = LANES(16), lane = lane_of(lanes);
    const long long row = row_of(lanes);
    if (row >= n) return;
    const long long from = old_indptr[order[row]], to = indptr[row], size = indptr[row + 1] - to;
    for (long long k = lane; k < size; k += lanes) {
        Edge edge = old_edges[from + k];
        edge.column = (unsigned int)place[edge.column];
        edges[to + k] = edge;
    }
}
