using RepNoise.Kernels;

namespace RepNoise.Host.Benchmarks;

/// <summary>Families linear_cross_entropy and mmd_gaussian.</summary>
internal static partial class KernelBenchmarks
{
    private static Dimension[] HeadRows =>
        [new("n", "rows") { Sample = 2 }, new("c", "hidden size"), new("v", "vocabulary") { Least = 2 }];

    private static Dimension[] MmdDimensions => [new("b", "pairs"), new("t", "positions of each"), new("c", "channels")];

    private static KernelBenchmark[] LinearCrossEntropy =>
    [
        new("linear_cross_entropy", nameof(Device.LinearCrossEntropy),
            "losses (n) of x (n, c) through head (v, c), with dX = and dWeight +=", HeadRows, (o, d) => CrossEntropy(o, d, gradients: true))
        {
            SuiteShapes = m => [[m.R, m.C, m.V]],
        },
        new("linear_cross_entropy_losses", nameof(Device.LinearCrossEntropy), "losses (n) of x (n, c) through head (v, c) alone", HeadRows,
            (o, d) => CrossEntropy(o, d, gradients: false)) { SuiteShapes = m => [[m.R, m.C, m.V]] },
    ];

    private static KernelBenchmark[] MmdGaussian =>
    [
        new("mmd_gaussian_forward", nameof(Device.MmdGaussianForward), "MMD of x (b vectors of t c) to Gaussian noise", MmdDimensions, (o, d) =>
        {
            var (x, plan, mmd, coefficients) = MmdOperands(o, d);
            o.Result("mmd", mmd, 1, 1);
            o.Result("coefficients", coefficients, d[0].Total, 2 * d[0].Total);
            return () => o.Device.MmdGaussianForward(mmd, coefficients, x, plan, Noise);
        }) { SuiteShapes = m => [[m.B, m.Answer, m.C]] },
        new("mmd_gaussian_backward", nameof(Device.MmdGaussianBackward), "dX (t b, c) of the same", MmdDimensions, (o, d) =>
        {
            var (x, plan, mmd, coefficients) = MmdOperands(o, d);
            o.Device.MmdGaussianForward(mmd, coefficients, x, plan, Noise);
            var dX = o.Zeroed(BufferKind.Compute, x.Rows, x.Columns);
            o.Result("dX", dX, x.Rows, x.Columns);
            return () => o.Device.MmdGaussianBackward(dX, coefficients, x, plan, Noise, 0.5);
        }) { SuiteShapes = m => [[m.B, m.Answer, m.C]] },
    ];

    private static NoiseSource Noise => NoiseSource.Counter(seed: 42, step: 0, layer: 0);

    private static Action CrossEntropy(Operands o, Extent[] d, bool gradients)
    {
        var (n, c, v) = (d[0], d[1].Total, d[2].Total);
        const double Factor = 0.25;
        float scale = MathF.ScaleB(1, -(int)(Math.Log2(c) / 2)); // logits of a trained head's size: a few units
        var (xNumber, x) = (o.NextNumber, o.Filled(BufferKind.Compute, n, c));
        var (weightNumber, weight) = (o.NextNumber, o.Filled(BufferKind.Compute, v, c, scale));
        int targetNumber = o.NextNumber;
        var targets = RandomRows(o, n, v);
        var losses = o.Zeroed(BufferKind.State, 1, n);
        var workspace = gradients || o.Device.StoresLogits(x, weight) ? o.Logits(v) : default;
        o.Result("losses", losses, 1, n);
        if (!gradients) return () => o.Device.LinearCrossEntropy(losses, x, weight, targets, Factor, default, default, workspace);

        var (dX, dWeight) = (o.Zeroed(BufferKind.Compute, n, c), o.Zeroed(BufferKind.State, v, c));
        o.Result("dX", dX, n, c);
        if (n.IsWhole)
        {
            // A gradient of the head sums over all rows, so a part of the rows says nothing of it.
            o.Result("dWeight", dWeight, v, c);
            o.Check("dWeight", o.Device.FormatOf(BufferKind.State), SampleOfHeadGradient);
        }

        return () => o.Device.LinearCrossEntropy(losses, x, weight, targets, Factor, dX, dWeight, workspace);

        // dWeight[v] = factor * sum over rows of (exp(z[v] - logsumexp) - [v is the target]) x, with logsumexp = loss + z[target].
        (double[] Found, double[] Expected) SampleOfHeadGradient()
        {
            int[] sampled = [.. Enumerable.Range(0, SampledRows).Select(i => (int)((long)i * (v - 1) / (SampledRows - 1))).Distinct()];
            var (found, expected) = (new double[sampled.Length * c], new double[sampled.Length * c]);
            for (int i = 0; i < sampled.Length; i++) o.Device.Download(dWeight.RowRange(sampled[i], 1), found.AsSpan(i * c, c));
            var loss = new double[n.Total];
            o.Device.Download(losses, loss);
            for (int row = 0; row < n.Total; row++)
            {
                int target = Pattern.IndexAt(targetNumber, row, v);
                double logSumExp = loss[row] + Logit(row, target);
                for (int i = 0; i < sampled.Length; i++)
                {
                    double dz = Math.Exp(Logit(row, sampled[i]) - logSumExp) - (sampled[i] == target ? 1 : 0);
                    for (int j = 0; j < c; j++) expected[i * c + j] += Factor * dz * Pattern.At(xNumber, row, j);
                }
            }

            return (found, expected);
        }

        double Logit(int row, int token)
        {
            double sum = 0;
            for (int j = 0; j < c; j++) sum += (double)Pattern.At(xNumber, row, j) * Pattern.At(weightNumber, token, j) * scale;
            return sum;
        }
    }

    private static (Tensor X, MmdPlan Plan, Tensor Mmd, Tensor Coefficients) MmdOperands(Operands o, Extent[] d)
    {
        var (b, t, c) = (d[0].Total, d[1].Total, d[2].Total);
        int rows = checked(b * t);
        var plan = o.Own(new MmdPlan(o.Device, b, rows));
        plan.Load(
            [.. Enumerable.Range(0, rows).Select(r => r % b)], [.. Enumerable.Range(0, rows).Select(r => r / b)], [.. Enumerable.Range(0, b)]);
        return (o.Filled(BufferKind.Compute, rows, c), plan, o.Zeroed(BufferKind.Scalar, 1, 1), o.Zeroed(BufferKind.Scalar, b, 2 * b));
    }
}
