using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>
/// Family mmd_gaussian. Squared distances of all pairs of vectors, by blocks of channels of one position: float32 within a
/// block, float64 from block to block and from group to group, in a fixed order. A pair of vectors (i, j) is numbered
/// <c>(d - 1) n + i</c> with j = i + d modulo n: neighbours read neighbouring vectors, and every thread has work.
/// </summary>
internal static class MmdGaussianCode
{
    /// <summary>Kernels of bandwidths w, 2w, 4w, 8w and 16w.</summary>
    private const int Kernels = 5;

    /// <summary>partials[group, pair] = sum over the group's blocks.</summary>
    /// <param name="partials">(groups, n (n - 1) / 2) doubles.</param>
    /// <param name="x">(R, C).</param>
    /// <param name="noise">(R, C) where the noise is a buffer, else anything.</param>
    /// <param name="entries">The plan.</param>
    /// <param name="channels">Channels of a block.</param>
    public static void Distances(ArrayView<double> partials, Matrix x, Matrix noise, MmdEntries entries, int channels)
    {
        var stage = SharedMemory.Allocate<float>(MmdStage.Capacity);
        int vectors = 2 * entries.PairCount, count = vectors * (vectors - 1) / 2, pitch = channels + 1;
        int blocks = (x.Columns + channels - 1) / channels, own = Grid.IdxX * count;
        for (int pair = Group.IdxX; pair < count; pair += Group.DimX) partials[own + pair] = 0;
        for (int item = Grid.IdxX; item < entries.Rows * blocks; item += Grid.DimX)
        {
            int first = item / blocks, block = item - first * blocks, atPosition = entries.CountFrom(first);
            if (atPosition == 0) continue;
            MmdStage.Fill(stage, x, noise, entries, first, atPosition, block * channels, channels);
            for (int pair = Group.IdxX; pair < count; pair += Group.DimX)
            {
                int distance = pair / vectors + 1, i = pair % vectors, j = (i + distance) % vectors;
                float sum = 0f;
                for (int channel = 0; channel < channels; channel++)
                {
                    float difference = stage[i * pitch + channel] - stage[j * pitch + channel];
                    sum += difference * difference;
                }

                partials[own + pair] += sum;
            }

            Group.Barrier();
        }
    }

    /// <summary>distances[pair] = sum over groups of partials, in order. A thread per pair.</summary>
    public static void SumDistances(ArrayView<double> distances, ArrayView<double> partials, int count, int groups)
    {
        for (int pair = ElementwiseCode.FirstColumn(); pair < count; pair += ElementwiseCode.ColumnStep())
        {
            double sum = 0;
            for (int group = 0; group < groups; group++) sum += partials[group * count + pair];
            distances[pair] = sum;
        }
    }

    /// <summary>The bandwidth, the MMD and the coefficients of its gradient from the distances. One group.</summary>
    public static void Finish(ScalarMatrix mmd, ScalarMatrix coefficients, ArrayView<double> distances, int pairCount)
    {
        var scratch = SharedMemory.Allocate<double>(GroupReduce.MaxThreads);
        int vectors = 2 * pairCount, count = vectors * (vectors - 1) / 2;
        double sum = 0;
        for (int pair = Group.IdxX; pair < count; pair += Group.DimX) sum += distances[pair];
        sum = GroupReduce.All<double, DoubleSum>(scratch, sum);
        double n = vectors, width = 2 * sum / (n * n - n) / 4;

        sum = 0;
        for (int pair = Group.IdxX; pair < count; pair += Group.DimX)
        {
            int distance = pair / vectors + 1, i = pair % vectors, j = (i + distance) % vectors;
            bool isSameSide = i < pairCount == j < pairCount;
            double kernel = Kernel(distances[pair], width);
            sum += isSameSide ? kernel : -kernel;
        }

        sum = GroupReduce.All<double, DoubleSum>(scratch, sum);
        double squared = (double)pairCount * pairCount;
        // Each pair occurs in both orders; the diagonal, where every kernel is 1, once.
        if (Group.IdxX == 0) mmd[0, 0] = count == 0 || width == 0 ? 0 : (2 * sum + Kernels * n) / squared;
        for (int at = Group.IdxX; at < pairCount * vectors; at += Group.DimX)
        {
            int i = at / vectors, j = at % vectors;
            double sign = j < pairCount ? 4 : -4;
            coefficients[i, j] = width == 0 ? 0 : sign / squared * Slope(i == j ? 0 : distances[PairOf(i, j, vectors)], width);
        }
    }

    /// <summary>dX[r, c] = factor * sum over j of coefficients[pair, j] (x[r, c] - z_j[c]). A group per block.</summary>
    public static void Backward(
        Matrix dX, ScalarMatrix coefficients, Matrix x, Matrix noise, MmdEntries entries, int channels, float factor)
    {
        var stage = SharedMemory.Allocate<float>(MmdStage.Capacity);
        int vectors = 2 * entries.PairCount, pitch = channels + 1, blocks = (x.Columns + channels - 1) / channels;
        for (int item = Grid.IdxX; item < entries.Rows * blocks; item += Grid.DimX)
        {
            int first = item / blocks, block = item - first * blocks, count = entries.CountFrom(first);
            if (count == 0) continue;
            MmdStage.Fill(stage, x, noise, entries, first, count, block * channels, channels);
            for (int i = Group.IdxX; i < count * channels; i += Group.DimX)
            {
                int row = first + i / channels, channel = i % channels, pair = entries.Pairs[row];
                if (block * channels + channel >= x.Columns) continue;
                float own = stage[pair * pitch + channel], sum = 0f;
                for (int j = 0; j < vectors; j++) sum += (float)coefficients[pair, j] * (own - stage[j * pitch + channel]);
                dX[row, block * channels + channel] = factor * sum;
            }

            Group.Barrier();
        }
    }

    private static int PairOf(int i, int j, int vectors)
    {
        int low = i < j ? i : j, high = i < j ? j : i, distance = high - low;
        return 2 * distance <= vectors ? (distance - 1) * vectors + low : (vectors - distance - 1) * vectors + high;
    }

    private static double Kernel(double distance, double width)
    {
        double sum = 0;
        for (int m = 0; m < Kernels; m++) sum += DeviceMath.Exp(-distance / (width * (1 << m)));
        return sum;
    }

    /// <summary>Derivative of the kernels' sum with respect to the squared distance.</summary>
    private static double Slope(double distance, double width)
    {
        double sum = 0;
        for (int m = 0; m < Kernels; m++)
        {
            double wide = width * (1 << m);
            sum -= DeviceMath.Exp(-distance / wide) / wide;
        }

        return sum;
    }
}
