using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Norm, rotary, swiglu, embedding and the optimizer.</summary>
public sealed partial class IlgpuDevice
{
    /// <summary>Floats of the first stage of column sums: runs times columns.</summary>
    private const int ColumnSumsLength = 1 << 20;

    /// <summary>Most runs of rows of column sums.</summary>
    private const int MaxRuns = 64;

    protected override void RmsNormForwardCore(Tensor output, Tensor rstd, Tensor x, Tensor weight, double epsilon)
    {
        if (x.Length == 0) return;
        kernels.NormForward(Stream, Groups(rstd.Length, ReductionThreads(weight.Columns)),
            View(output), View(rstd), View(x), View(weight), (float)epsilon);
    }

    protected override void AddRmsNormForwardCore(
        Tensor output, Tensor sum, Tensor rstd, Tensor x, Tensor addend, Tensor weight, double epsilon)
    {
        if (x.Length == 0) return;
        kernels.AddNormForward(Stream, Groups(rstd.Length, ReductionThreads(weight.Columns)),
            View(output), View(sum), View(rstd), View(x), View(addend), View(weight), (float)epsilon);
    }

    protected override void RmsNormBackwardCore(
        Tensor dX, Tensor dWeight, Tensor dOutput, Tensor x, Tensor weight, Tensor rstd, bool accumulate)
    {
        if (x.Length == 0) return;
        // The weight first: it reads dOutput, which dX may overwrite.
        AddColumnSums(dWeight, dOutput, View(x), View(rstd), isWeighted: 1);
        kernels.NormBackward(Stream, Groups(rstd.Length, ReductionThreads(weight.Columns)),
            View(dX), View(dOutput), View(x), View(weight), View(rstd), accumulate ? 1 : 0);
    }

    protected override void BiasBackwardCore(Tensor dBias, Tensor dOutput)
    {
        if (dOutput.Length > 0) AddColumnSums(dBias, dOutput, View(dOutput), View(dOutput), isWeighted: 0);
    }

    protected override void RotaryCore(Tensor x, Tensor cos, Tensor sin, Indices positions, bool inverse)
    {
        if (x.Length == 0) return;
        kernels.Rotary(Stream, Elements(x.Rows, x.Columns / 2), View(x), View(cos), View(sin),
            Numbers(nameof(Rotary), positions, cos.Rows), inverse ? -1 : 1);
    }

    protected override void SwigluForwardCore(Tensor output, Tensor gate, Tensor up)
    {
        if (gate.Length == 0) return;
        if (output.IsDense && gate.IsDense && up.IsDense) (output, gate, up) = (Flat(output), Flat(gate), Flat(up));
        kernels.SwigluForward(Stream, Elements(gate.Rows, gate.Columns), View(output), View(gate), View(up));
    }

    protected override void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up)
    {
        if (gate.Length == 0) return;
        if (dGate.IsDense && dUp.IsDense && dOutput.IsDense && gate.IsDense && up.IsDense)
            (dGate, dUp, dOutput, gate, up) = (Flat(dGate), Flat(dUp), Flat(dOutput), Flat(gate), Flat(up));
        kernels.SwigluBackward(Stream, Elements(gate.Rows, gate.Columns), View(dGate), View(dUp), View(dOutput), View(gate), View(up));
    }

    protected override void GatherRowsCore(Tensor output, Tensor table, Indices rows)
    {
        var numbers = Numbers(nameof(GatherRows), rows, table.Rows);
        if (output.Length > 0) kernels.Gather(Stream, Elements(output.Rows, output.Columns), View(output), View(table), numbers);
    }

    protected override void ScatterAddRowsCore(Tensor dTable, Tensor dOutput, Indices rows, double factor, Tensor deviceFactor)
    {
        var numbers = Numbers(nameof(ScatterAddRows), rows, dTable.Rows);
        if (dOutput.Length == 0) return;
        var grid = Groups(dOutput.Rows, ReductionThreads(dTable.Columns));
        kernels.ScatterAdd(Stream, grid, View(dTable), View(dOutput), numbers, Factor(factor, deviceFactor));
    }

    protected override void AdamWCore(
        Tensor master, Tensor copy, Tensor gradient, Tensor m, Tensor v, in AdamWStep step, Tensor gradientFactor)
    {
        if (master.Length == 0) return;
        int hasCopy = copy.IsEmpty ? 0 : 1;
        if (copy.IsEmpty) copy = master;
        if (master.IsDense && copy.IsDense && gradient.IsDense && m.IsDense && v.IsDense)
            (master, copy, gradient, m, v) = (Flat(master), Flat(copy), Flat(gradient), Flat(m), Flat(v));
        kernels.AdamW(Stream, Elements(master.Rows, master.Columns), View(master), View(copy), View(gradient), View(m), View(v),
            new AdamWFactors(step), Scalars(gradientFactor).Data, hasCopy);
    }

    protected override void AddSquaredNormCore(Tensor result, Tensor gradient)
    {
        if (gradient.Length > 0) Sum(Scalars(result), gradient, isSquared: 1, factor: 1, constant: 0, isAdded: 1);
    }

    protected override void ClipFactorCore(Tensor result, Tensor squaredNorm, double maxNorm, double scale) =>
        kernels.ClipFactor(Stream, new KernelConfig(1, 32), Scalars(result), Scalars(squaredNorm), maxNorm, scale);

    /// <summary>target (1, C) += sums over rows and groups, in stretches of columns whose first stage fits its room.</summary>
    private void AddColumnSums(Tensor target, Tensor a, Matrix x, Matrix rstd, int isWeighted)
    {
        int groups = a.Columns / target.Columns;
        Check.That(target.Columns <= ColumnSumsLength, nameof(BiasBackward), $"{target.Columns} columns", $"at most {ColumnSumsLength}");
        int runs = Math.Clamp(ColumnSumsLength / target.Columns, 1, Math.Min(MaxRuns, a.Rows));
        int rowsOfRun = (a.Rows + runs - 1) / runs;
        runs = (a.Rows + rowsOfRun - 1) / rowsOfRun;
        int threads = ReductionThreads(target.Columns), across = (target.Columns + threads - 1) / threads;
        var partials = new Matrix(columnSums.View, runs, target.Columns, target.Columns);
        kernels.ColumnSums(Stream, Plane(across, runs, threads),
            partials, View(a), x, rstd, rowsOfRun, groups, isWeighted);
        kernels.AddColumnSums(Stream, new KernelConfig(across, threads), View(target), partials);
    }
}
