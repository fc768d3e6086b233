using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Every operation refuses tensors that do not fit each other, before it touches any.</summary>
public sealed class ShapeErrorTests
{
    private static readonly AttentionShape Shape = new(2, 1, 3, null);

    /// <summary>Calls that must throw, by what is wrong with them.</summary>
    private static readonly Dictionary<string, Action<Lab>> Mistakes = new()
    {
        ["GatherRows: rows of output"] = lab => lab.Device.GatherRows(lab.New(3, 4), lab.New(5, 4), lab.Numbers(0, 1)),
        ["GatherRows: columns of output"] = lab => lab.Device.GatherRows(lab.New(2, 3), lab.New(5, 4), lab.Numbers(0, 1)),
        ["GatherRows: no output"] = lab => lab.Device.GatherRows(default, lab.New(5, 4), lab.Numbers(0, 1)),
        ["GatherRows: row beyond the table"] = lab => lab.Device.GatherRows(lab.New(2, 4), lab.New(5, 4), lab.Numbers(0, 5)),
        ["GatherRows: negative row"] = lab => lab.Device.GatherRows(lab.New(2, 4), lab.New(5, 4), lab.Numbers(0, -1)),
        ["ScatterAddRows: rows of dOutput"] = lab => lab.Device.ScatterAddRows(lab.New(5, 4), lab.New(3, 4), lab.Numbers(0, 1)),
        ["ScatterAddRows: factor"] = lab =>
            lab.Device.ScatterAddRows(lab.New(5, 4), lab.New(2, 4), lab.Numbers(0, 1), deviceFactor: lab.New(1, 2)),
        ["ScatterAddRows: row beyond the table"] = lab => lab.Device.ScatterAddRows(lab.New(5, 4), lab.New(1, 4), lab.Numbers(7)),

        ["RmsNormForward: weight does not divide"] = lab => NormForward(lab, output: 6, rstd: 1, weight: 4),
        ["RmsNormForward: columns of output"] = lab => NormForward(lab, output: 5, rstd: 2, weight: 3),
        ["RmsNormForward: groups of rstd"] = lab => NormForward(lab, output: 6, rstd: 1, weight: 3),
        ["RmsNormForward: weight of two rows"] = lab =>
            lab.Device.RmsNormForward(lab.New(2, 6), lab.New(2, 1), lab.New(2, 6), lab.New(2, 6), 0),
        ["AddRmsNormForward: weight does not divide"] = lab => AddNormForward(lab, weight: 4),
        ["AddRmsNormForward: columns of output"] = lab => AddNormForward(lab, output: 5),
        ["AddRmsNormForward: columns of sum"] = lab => AddNormForward(lab, sum: 3),
        ["AddRmsNormForward: columns of addend"] = lab => AddNormForward(lab, addend: 7),
        ["AddRmsNormForward: groups of rstd"] = lab => AddNormForward(lab, rstd: 1),
        ["AddRmsNormForward: no addend"] = lab =>
            lab.Device.AddRmsNormForward(lab.New(2, 6), lab.New(2, 6), lab.New(2, 2), lab.New(2, 6), default, lab.New(1, 3), 0),
        ["AddRmsNormForward: output is the sum"] = lab =>
        {
            var both = lab.New(2, 6);
            lab.Device.AddRmsNormForward(both, both, lab.New(2, 2), lab.New(2, 6), lab.New(2, 6), lab.New(1, 3), 0);
        },
        ["RmsNormBackward: rows of dX"] = lab => NormBackward(lab, dX: 3, dOutput: 2, dWeight: 3, rstd: 2),
        ["RmsNormBackward: rows of dOutput"] = lab => NormBackward(lab, dX: 2, dOutput: 1, dWeight: 3, rstd: 2),
        ["RmsNormBackward: columns of dWeight"] = lab => NormBackward(lab, dX: 2, dOutput: 2, dWeight: 6, rstd: 2),
        ["RmsNormBackward: groups of rstd"] = lab => NormBackward(lab, dX: 2, dOutput: 2, dWeight: 3, rstd: 3),

        ["Matmul: inner dimensions of NN"] = lab => lab.Device.Matmul(lab.New(2, 4), lab.New(2, 3), lab.New(5, 4), MatmulForm.NN),
        ["Matmul: inner dimensions of NT"] = lab => lab.Device.Matmul(lab.New(2, 4), lab.New(2, 3), lab.New(4, 5), MatmulForm.NT),
        ["Matmul: inner dimensions of TN"] = lab => lab.Device.Matmul(lab.New(2, 4), lab.New(3, 2), lab.New(5, 4), MatmulForm.TN),
        ["Matmul: rows of c"] = lab => lab.Device.Matmul(lab.New(3, 4), lab.New(2, 3), lab.New(3, 4), MatmulForm.NN),
        ["Matmul: columns of c"] = lab => lab.Device.Matmul(lab.New(2, 5), lab.New(2, 3), lab.New(4, 3), MatmulForm.NT),
        ["Matmul: bias"] = lab => lab.Device.Matmul(lab.New(2, 4), lab.New(2, 3), lab.New(3, 4), MatmulForm.NN, bias: lab.New(1, 2)),
        ["BiasBackward: columns"] = lab => lab.Device.BiasBackward(lab.New(1, 3), lab.New(2, 4)),
        ["BiasBackward: rows"] = lab => lab.Device.BiasBackward(lab.New(2, 4), lab.New(2, 4)),

        ["Rotary: head size"] = lab => Rotary(lab, x: 6, cos: 2, sin: 2, 0, 1),
        ["Rotary: sin"] = lab => Rotary(lab, x: 8, cos: 2, sin: 1, 0, 1),
        ["Rotary: positions"] = lab => Rotary(lab, x: 8, cos: 2, sin: 2, 0, 1, 2),
        ["Rotary: position beyond the tables"] = lab => Rotary(lab, x: 8, cos: 2, sin: 2, 0, 9),

        ["AttentionForward: q"] = lab => Attention(lab, q: 4, k: 3, v: 3, output: 6, lse: 2),
        ["AttentionForward: k"] = lab => Attention(lab, q: 6, k: 6, v: 3, output: 6, lse: 2),
        ["AttentionForward: v"] = lab => Attention(lab, q: 6, k: 3, v: 6, output: 6, lse: 2),
        ["AttentionForward: output"] = lab => Attention(lab, q: 6, k: 3, v: 3, output: 3, lse: 2),
        ["AttentionForward: lse"] = lab => Attention(lab, q: 6, k: 3, v: 3, output: 6, lse: 1),
        ["AttentionForward: key rows"] = lab => Attention(lab, q: 6, k: 3, v: 3, output: 6, lse: 2, keyRows: 3),
        ["AttentionForward: heads"] = lab => Attention(lab, q: 6, k: 3, v: 3, output: 6, lse: 2, shape: Shape with { KeyValueHeads = 0 }),
        ["AttentionForward: groups"] = lab => Attention(lab, q: 9, k: 6, v: 6, output: 9, lse: 3, shape: new(3, 2, 3, null)),
        ["AttentionForward: a row sees no key"] = lab => Attention(lab, q: 6, k: 3, v: 3, output: 6, lse: 2, shape: Shape with { Window = 0 }),
        ["AttentionBackward: dQ"] = lab => AttentionBackward(lab, dQ: 3, dK: 3, dV: 3, dOutput: 6),
        ["AttentionBackward: dK"] = lab => AttentionBackward(lab, dQ: 6, dK: 6, dV: 3, dOutput: 6),
        ["AttentionBackward: dV"] = lab => AttentionBackward(lab, dQ: 6, dK: 3, dV: 2, dOutput: 6),
        ["AttentionBackward: dOutput"] = lab => AttentionBackward(lab, dQ: 6, dK: 3, dV: 3, dOutput: 5),

        ["SwigluForward: output"] = lab => lab.Device.SwigluForward(lab.New(2, 4), lab.New(2, 3), lab.New(2, 3)),
        ["SwigluForward: up"] = lab => lab.Device.SwigluForward(lab.New(2, 3), lab.New(2, 3), lab.New(3, 3)),
        ["SwigluBackward: dGate"] = lab => SwigluBackward(lab, 1, 2, 2, 2),
        ["SwigluBackward: dUp"] = lab => SwigluBackward(lab, 2, 1, 2, 2),
        ["SwigluBackward: dOutput"] = lab => SwigluBackward(lab, 2, 2, 1, 2),
        ["SwigluBackward: up"] = lab => SwigluBackward(lab, 2, 2, 2, 1),

        ["LinearCrossEntropy: columns"] = lab => CrossEntropy(lab, losses: 2, columns: 4, workspace: 5, 0, 1),
        ["LinearCrossEntropy: losses"] = lab => CrossEntropy(lab, losses: 3, columns: 3, workspace: 5, 0, 1),
        ["LinearCrossEntropy: targets"] = lab => CrossEntropy(lab, losses: 2, columns: 3, workspace: 5, 0),
        ["LinearCrossEntropy: target beyond the vocabulary"] = lab => CrossEntropy(lab, losses: 2, columns: 3, workspace: 5, 0, 5),
        ["LinearCrossEntropy: workspace"] = lab => CrossEntropy(lab, losses: 2, columns: 3, workspace: 4, 0, 1),
        ["LinearCrossEntropy: dWeight alone"] = lab => lab.Device.LinearCrossEntropy(
            lab.New(1, 2), lab.New(2, 3), lab.New(5, 3), lab.Numbers(0, 1), 1, default, lab.New(5, 3), lab.New(1, 5)),
        ["LinearCrossEntropy: dX"] = lab => lab.Device.LinearCrossEntropy(
            lab.New(1, 2), lab.New(2, 3), lab.New(5, 3), lab.Numbers(0, 1), 1, lab.New(3, 3), lab.New(5, 3), lab.New(1, 5)),
        ["LinearCrossEntropy: repeats"] = lab => lab.Device.LinearCrossEntropy(
            lab.New(1, 2), lab.New(2, 3), lab.New(5, 3), lab.Numbers(0, 1), 1, default, default, lab.New(1, 5), lab.Numbers(1)),
        ["LinearCrossEntropy: no workspace"] = lab => lab.Device.LinearCrossEntropy(
            lab.New(1, 2), lab.New(2, 3), lab.New(5, 3), lab.Numbers(0, 1), 1, default, default, lab.New(0, 5)),

        ["MmdGaussianForward: rows"] = lab => Mmd(lab, rows: 3, coefficients: 2, noise: 3),
        ["MmdGaussianForward: coefficients"] = lab => Mmd(lab, rows: 2, coefficients: 1, noise: 2),
        ["MmdGaussianForward: noise"] = lab => Mmd(lab, rows: 2, coefficients: 2, noise: 3),
        ["MmdGaussianBackward: dX"] = lab =>
        {
            using var plan = new MmdLayout([0, 1], [0, 0], [7, 8]).On(lab.Device);
            lab.Device.MmdGaussianBackward(lab.New(2, 4), lab.New(2, 4), lab.New(2, 5), plan, NoiseSource.Counter(1, 2, 3), 1);
        },

        ["AddSquaredNorm: result"] = lab => lab.Device.AddSquaredNorm(lab.New(1, 2), lab.New(3, 4)),
        ["ClipFactor: result"] = lab => lab.Device.ClipFactor(lab.New(1, 1), lab.New(1, 1), 1, 1),
        ["ClipFactor: squaredNorm"] = lab => lab.Device.ClipFactor(lab.New(1, 2), lab.New(1, 2), 1, 1),
        ["AdamW: copy"] = lab => AdamW(lab, copy: 3, gradient: 2, m: 2, v: 2),
        ["AdamW: gradient"] = lab => AdamW(lab, copy: 2, gradient: 3, m: 2, v: 2),
        ["AdamW: m"] = lab => AdamW(lab, copy: 2, gradient: 2, m: 1, v: 2),
        ["AdamW: v"] = lab => AdamW(lab, copy: 2, gradient: 2, m: 2, v: 1),
        ["AdamW: step 0"] = lab => AdamW(lab, copy: 2, gradient: 2, m: 2, v: 2, step: 0),

        ["Copy: shape"] = lab => lab.Device.Copy(lab.New(2, 3), lab.New(3, 2)),
        ["AddScaled: shape"] = lab => lab.Device.AddScaled(lab.New(2, 3), lab.New(2, 4)),
        ["AddScaled: factor"] = lab => lab.Device.AddScaled(lab.New(2, 3), lab.New(2, 3), 1, lab.New(2, 1)),
        ["SumInto: result"] = lab => lab.Device.SumInto(lab.New(2, 1), lab.New(2, 4), 1, 0),
        ["AscentValue: result"] = lab => lab.Device.AscentValue(lab.New(1, 1), lab.New(1, 4), 1, 0),
        ["AscentValue: terms"] = lab => lab.Device.AscentValue(lab.New(1, 2), lab.New(2, 4), 1, 0),

        ["Tensor.Of: beyond the buffer"] = lab => Tensor.Of(lab.New(2, 3).Buffer, 2, 4),
        ["Tensor.RowRange: beyond the rows"] = lab => lab.New(2, 3).RowRange(1, 2),
        ["Tensor.ColumnRange: negative"] = lab => lab.New(2, 3).ColumnRange(-1, 2),
        ["Indices.Range: beyond the count"] = lab => lab.Numbers(1, 2).Range(1, 2),
    };

    public static TheoryData<string> Names => [.. Mistakes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Mistake_is_refused_by_name(string mistake)
    {
        using var lab = new Lab();
        var error = Assert.Throws<ShapeException>(() => Mistakes[mistake](lab));
        Assert.Equal(mistake[..mistake.IndexOf(':', StringComparison.Ordinal)], error.Operation);
        Assert.StartsWith(error.Operation, error.Message, StringComparison.Ordinal);
        Assert.Contains("expected", error.Message, StringComparison.Ordinal);
    }

    /// <summary>A check that passes builds no message: a training step makes thousands.</summary>
    [Fact]
    public void Checks_that_pass_allocate_nothing()
    {
        using var lab = new Lab();
        var (x, tables, positions) = (lab.New(2, 8), lab.New(9, 2), lab.Numbers(0, 1));
        lab.Device.Rotary(x, tables, tables, positions, inverse: false);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) lab.Device.Rotary(x, tables, tables, positions, inverse: false);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static void NormForward(Lab lab, int output, int rstd, int weight) =>
        lab.Device.RmsNormForward(lab.New(2, output), lab.New(2, rstd), lab.New(2, 6), lab.New(1, weight), 0);

    private static void AddNormForward(Lab lab, int output = 6, int sum = 6, int rstd = 2, int addend = 6, int weight = 3) =>
        lab.Device.AddRmsNormForward(
            lab.New(2, output), lab.New(2, sum), lab.New(2, rstd), lab.New(2, 6), lab.New(2, addend), lab.New(1, weight), 0);

    private static void NormBackward(Lab lab, int dX, int dOutput, int dWeight, int rstd) => lab.Device.RmsNormBackward(
        lab.New(dX, 6), lab.New(1, dWeight), lab.New(dOutput, 6), lab.New(2, 6), lab.New(1, 3), lab.New(2, rstd), accumulate: false);

    private static void Rotary(Lab lab, int x, int cos, int sin, params int[] positions) =>
        lab.Device.Rotary(lab.New(2, x), lab.New(9, cos), lab.New(9, sin), lab.Numbers(positions), inverse: false);

    private static void Attention(Lab lab, int q, int k, int v, int output, int lse, int keyRows = 4, AttentionShape? shape = null)
    {
        using var plan = AttentionLayout.Sequences(4).On(lab.Device);
        lab.Device.AttentionForward(
            lab.New(4, output), lab.New(4, lse), lab.New(4, q), lab.New(keyRows, k), lab.New(keyRows, v), plan, shape ?? Shape);
    }

    private static void AttentionBackward(Lab lab, int dQ, int dK, int dV, int dOutput)
    {
        using var plan = AttentionLayout.Sequences(4).On(lab.Device);
        lab.Device.AttentionBackward(lab.New(4, dQ), lab.New(4, dK), lab.New(4, dV), lab.New(4, dOutput), lab.New(4, 6), lab.New(4, 2),
            lab.New(4, 6), lab.New(4, 3), lab.New(4, 3), plan, Shape);
    }

    private static void SwigluBackward(Lab lab, int dGate, int dUp, int dOutput, int up) =>
        lab.Device.SwigluBackward(lab.New(dGate, 3), lab.New(dUp, 3), lab.New(dOutput, 3), lab.New(2, 3), lab.New(up, 3));

    private static void CrossEntropy(Lab lab, int losses, int columns, int workspace, params int[] targets) =>
        lab.Device.LinearCrossEntropy(
            lab.New(1, losses), lab.New(2, columns), lab.New(5, 3), lab.Numbers(targets), 1, default, default, lab.New(1, workspace));

    private static void Mmd(Lab lab, int rows, int coefficients, int noise)
    {
        using var plan = new MmdLayout([0, 1], [0, 0], [7, 8]).On(lab.Device);
        lab.Device.MmdGaussianForward(
            lab.New(1, 1), lab.New(coefficients, 4), lab.New(rows, 5), plan, NoiseSource.FromBuffer(lab.New(noise, 5)));
    }

    private static void AdamW(Lab lab, int copy, int gradient, int m, int v, int step = 1) => lab.Device.AdamW(
        lab.New(2, 3), lab.New(copy, 3), lab.New(gradient, 3), lab.New(m, 3), lab.New(v, 3),
        new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0, true, step), lab.New(1, 1));
}
