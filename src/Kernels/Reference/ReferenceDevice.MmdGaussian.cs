namespace RepNoise.Kernels.Reference;

public sealed partial class ReferenceDevice<TReal, TRounding>
{
    /// <summary>Kernels of bandwidths w, 2w, 4w, 8w and 16w.</summary>
    private const int MmdKernels = 5;

    protected override void MmdGaussianForwardCore(Tensor mmd, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise)
    {
        int pairs = plan.PairCount;
        var distances = SquaredDistances(x, plan, noise);
        double bandwidth = Bandwidth(distances);
        double sum = 0;
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                sum += Kernel(distances[i, j], bandwidth) + Kernel(distances[pairs + i, pairs + j], bandwidth)
                    - Kernel(distances[i, pairs + j], bandwidth) - Kernel(distances[pairs + i, j], bandwidth);
            }
        }

        Wide(mmd)[0, 0] = bandwidth == 0 ? 0 : sum / ((double)pairs * pairs);
        StoreCoefficients(coefficients, distances, bandwidth);
    }

    protected override void MmdGaussianBackwardCore(
        Tensor dX, Tensor coefficients, Tensor x, MmdPlan plan, NoiseSource noise, double factor)
    {
        var (to, factors) = (Real(dX), Wide(coefficients));
        for (int run = 0; run < plan.RunCount; run++)
        {
            var (first, count) = plan.Run(run);
            var vectors = VectorsAt(x, plan, noise, run);
            for (int r = first; r < first + count; r++)
            {
                int pair = plan.Pairs[r];
                for (int c = 0; c < x.Columns; c++)
                {
                    var sum = TReal.Zero;
                    for (int j = 0; j < 2 * plan.PairCount; j++)
                        sum += ToReal(factors[pair, j]) * (ToReal(vectors[pair, c]) - ToReal(vectors[j, c]));
                    to[r, c] = ToReal(factor) * sum;
                }
            }
        }
    }

    /// <summary>The loops need no scratch.</summary>
    protected internal override long MmdScratchLength(int maxPairs, int maxRows) => 0;

    /// <summary>d2 over all 2B vectors, differences taken directly and summed in double.</summary>
    private static double[,] SquaredDistances(Tensor x, MmdPlan plan, NoiseSource noise)
    {
        int n = 2 * plan.PairCount;
        var distances = new double[n, n];
        for (int run = 0; run < plan.RunCount; run++)
        {
            var vectors = VectorsAt(x, plan, noise, run);
            for (int i = 0; i < n; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    for (int c = 0; c < x.Columns; c++)
                    {
                        double difference = vectors[i, c] - vectors[j, c];
                        distances[i, j] += difference * difference;
                    }
                }
            }
        }

        return distances;
    }

    /// <summary>All 2B vectors at one position, (2B, C): B of x, then B of noise; zero for a pair without an entry there.</summary>
    private static double[,] VectorsAt(Tensor x, MmdPlan plan, NoiseSource noise, int run)
    {
        var vectors = new double[2 * plan.PairCount, x.Columns];
        var draw = new float[x.Columns];
        var (first, count) = plan.Run(run);
        for (int r = first; r < first + count; r++)
        {
            int pair = plan.Pairs[r];
            if (!noise.IsBuffer) GaussianNoise.Fill(draw, noise.Seed, noise.Step, noise.Layer, plan.PairIds[pair], plan.Positions[r]);
            for (int c = 0; c < x.Columns; c++)
            {
                vectors[pair, c] = Wide(x)[r, c];
                vectors[plan.PairCount + pair, c] = noise.IsBuffer ? Wide(noise.Buffer)[r, c] : draw[c];
            }
        }

        return vectors;
    }

    /// <summary>w = sum(d2) / (n^2 - n) / 4.</summary>
    private static double Bandwidth(double[,] distances)
    {
        double sum = 0;
        foreach (double distance in distances) sum += distance;
        double n = distances.GetLength(0);
        return n == 0 ? 0 : sum / (n * n - n) / 4;
    }

    private static double Kernel(double distance, double bandwidth)
    {
        double sum = 0;
        for (int m = 0; m < MmdKernels; m++) sum += Math.Exp(-distance / (bandwidth * (1 << m)));
        return sum;
    }

    /// <summary>
    /// coefficient[i, j] = (+4 for j of x, -4 for j of noise) / B^2 * dk/d(d2): each kernel value occurs twice in the mean, and
    /// the distance contributes 2 (X_i - z_j).
    /// </summary>
    private static void StoreCoefficients(Tensor coefficients, double[,] distances, double bandwidth)
    {
        var to = Wide(coefficients);
        int pairs = coefficients.Rows;
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < 2 * pairs; j++)
            {
                double slope = 0;
                for (int m = 0; m < MmdKernels; m++)
                {
                    double width = bandwidth * (1 << m);
                    slope -= Math.Exp(-distances[i, j] / width) / width;
                }

                to[i, j] = bandwidth == 0 ? 0 : (j < pairs ? 4 : -4) * slope / ((double)pairs * pairs);
            }
        }
    }
}
