using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Whole-tensor helpers and sums.</summary>
public sealed partial class IlgpuDevice
{
    protected override void FillCore(Tensor target, double value)
    {
        if (target.Length == 0) return;
        target = Flat(target);
        if (IsScalar(target)) kernels.FillScalars(Stream, Elements(target.Rows, target.Columns), Scalars(target), value);
        else kernels.Fill(Stream, Elements(target.Rows, target.Columns), View(target), (float)value);
    }

    protected override void CopyCore(Tensor target, Tensor source)
    {
        if (target.Length == 0) return;
        if (target.IsDense && source.IsDense) (target, source) = (Flat(target), Flat(source));
        var grid = Elements(target.Rows, target.Columns);
        switch (IsScalar(target), IsScalar(source))
        {
            case (false, false): kernels.Copy(Stream, grid, View(target), View(source)); break;
            case (true, true): kernels.CopyScalars(Stream, grid, Scalars(target), Scalars(source)); break;
            case (true, false): kernels.Widen(Stream, grid, Scalars(target), View(source)); break;
            default: kernels.Round(Stream, grid, View(target), Scalars(source)); break;
        }
    }

    protected override void AddScaledCore(Tensor target, Tensor source, double factor, Tensor deviceFactor)
    {
        if (target.Length == 0) return;
        Check.That(IsScalar(target) == IsScalar(source), nameof(AddScaled), $"{target.Buffer.Kind} += {source.Buffer.Kind}",
            "two tensors of scalars or none");
        if (target.IsDense && source.IsDense) (target, source) = (Flat(target), Flat(source));
        var grid = Elements(target.Rows, target.Columns);
        if (IsScalar(target)) kernels.AddScaledScalars(Stream, grid, Scalars(target), Scalars(source), Factor(factor, deviceFactor));
        else kernels.AddScaled(Stream, grid, View(target), View(source), Factor(factor, deviceFactor));
    }

    protected override void SumIntoCore(Tensor result, Tensor values, double factor, double constant)
    {
        if (IsScalar(values)) kernels.FinalSum(Stream, new KernelConfig(1, Threads), Scalars(result), Scalars(values), factor, constant, 0);
        else Sum(Scalars(result), values, isSquared: 0, factor, constant, isAdded: 0);
    }

    protected override void AscentValueCore(Tensor result, Tensor terms, double divisor, double offset) =>
        kernels.Ascent(Stream, new KernelConfig(1, 32), Scalars(result), Scalars(terms), divisor, offset);

    /// <summary>The two stages of a sum over float32 values.</summary>
    private void Sum(ScalarMatrix result, Tensor values, int isSquared, double factor, double constant, int isAdded)
    {
        values = Flat(values);
        var grid = Elements(values.Rows, values.Columns);
        int across = Math.Min(grid.GridDim.X, SumGroups), down = Math.Min(grid.GridDim.Y, SumGroups / across);
        kernels.PartialSums(Stream, Plane(across, down, grid.GroupDim.X), sums.View, View(values), isSquared);
        var partials = new ScalarMatrix(sums.View, 1, across * down, across * down);
        kernels.FinalSum(Stream, new KernelConfig(1, Threads), result, partials, factor, constant, isAdded);
    }

    /// <summary>A dense tensor as one row, which needs no division of indices.</summary>
    private static Tensor Flat(Tensor tensor) =>
        tensor.IsDense && tensor.Length <= int.MaxValue
            ? tensor with { Rows = 1, Columns = (int)tensor.Length, RowStride = (int)tensor.Length }
            : tensor;
}
