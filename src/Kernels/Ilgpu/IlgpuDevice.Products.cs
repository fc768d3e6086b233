using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Matrix products, attention and the vocabulary's cross-entropy.</summary>
public sealed partial class IlgpuDevice
{
    private const int SmallTile = 64;
    private const int LargeTile = 128;
    private const string SmallVariant = "tile64";
    private const string LargeVariant = "tile128";

    protected override void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias)
    {
        if (c.Length == 0) return;
        int inner = MatmulShape(a, b, form).K;
        var left = form == MatmulForm.TN
            ? new MatmulOperand(View(a).Data, a.Columns, 1, a.RowStride)
            : new MatmulOperand(View(a).Data, a.Rows, a.RowStride, 1);
        var right = form == MatmulForm.NT
            ? new MatmulOperand(View(b).Data, b.Rows, b.RowStride, 1)
            : new MatmulOperand(View(b).Data, b.Columns, 1, b.RowStride);
        // Of an empty sum the kernel adds nothing but looks at one element, which need not exist.
        if (inner == 0) left = right = new MatmulOperand(View(c).Data, 0, 0, 0);
        int hasBias = bias.IsEmpty ? 0 : 1;
        var added = bias.IsEmpty ? View(c).Data : View(bias).Data;
        // The large tile does twice the work per byte, but only where there are groups enough for every multiprocessor.
        bool isLarge = matmulVariant is null
            ? !IsCpu && Tiles(c, LargeTile) >= Runtime.Accelerator.NumMultiprocessors
            : matmulVariant == LargeVariant;
        if (isLarge)
        {
            var grid = new KernelConfig(Tiles(c, LargeTile), LargeTile * LargeTile / SmallTile);
            kernels.Tile128(Stream, grid, left, right, View(c), added, inner, accumulate ? 1 : 0, hasBias);
        }
        else
        {
            kernels.Tile64(Stream, new KernelConfig(Tiles(c, SmallTile), SmallTile), left, right, View(c), added, inner, accumulate ? 1 : 0, hasBias);
        }
    }

    protected override void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        int tiles = QueryTiles(plan);
        if (tiles == 0) return;
        kernels.AttentionForward(Stream, AttentionGrid(tiles, shape.Heads), View(output), View(lse), View(q), View(k), View(v),
            Numbers(plan.DeviceSegments), Numbers(plan.DevicePositions), plan.Segments.Length, new AttentionSizes(shape));
    }

    protected override void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        int tiles = QueryTiles(plan), rows = AttentionThreads / 4;
        var sizes = new AttentionSizes(shape);
        if (tiles > 0)
        {
            kernels.AttentionQueries(Stream, AttentionGrid(tiles, shape.Heads), View(dQ), View(dOutput), View(output), View(lse), View(q),
                View(k), View(v), Numbers(plan.DeviceSegments), Numbers(plan.DevicePositions), plan.Segments.Length, sizes);
        }

        if (k.Rows == 0) return;
        kernels.AttentionKeys(Stream, AttentionGrid((k.Rows + rows - 1) / rows, shape.KeyValueHeads), View(dK), View(dV), View(dOutput),
            View(output), View(lse), View(q), View(k), View(v), Numbers(plan.DeviceSegments), Numbers(plan.DevicePositions),
            plan.Segments.Length, sizes);
    }

    protected override void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        _ = Numbers(nameof(LinearCrossEntropy), targets, weight.Rows);
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            MatmulCore(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            kernels.CrossEntropyRows(Stream, Groups(count, ReductionThreads(logits.Columns)),
                View(losses.ColumnRange(start, count)).Data, View(logits), Numbers(targets.Range(start, count)), (float)gradientFactor,
                dX.IsEmpty ? 0 : 1);
            if (dX.IsEmpty) continue;
            MatmulCore(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            MatmulCore(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    /// <summary>The forced variant of the one family that has several; null where the shape shall decide.</summary>
    private string? MatmulVariant(IReadOnlyDictionary<string, string> forced)
    {
        string[] usable = IsCpu ? [SmallVariant] : [SmallVariant, LargeVariant];
        foreach (var (family, variant) in forced)
        {
            if (family != "matmul") throw Refused($"kernel family {family} has no variants to choose", "Leave it out");
            if (!usable.Contains(variant)) throw Refused($"kernel family {family} has no variant '{variant}' here", $"Use one of {string.Join(", ", usable)}");
        }

        return forced.GetValueOrDefault("matmul");
    }

    private DeviceException Refused(string problem, string remedy) => new(Name, problem, remedy);

    /// <summary>Four threads for each row of an attention tile.</summary>
    private int AttentionThreads => IsCpu ? 2 * AttentionTile.Columns : 4 * AttentionTile.MaxRows;

    private static int Tiles(Tensor c, int tile) => checked((c.Rows + tile - 1) / tile * ((c.Columns + tile - 1) / tile));

    private int QueryTiles(AttentionPlan plan)
    {
        int tiles = 0, rows = AttentionThreads / 4;
        foreach (var segment in plan.Segments) tiles += (segment.QueryCount + rows - 1) / rows;
        return tiles;
    }

    private KernelConfig AttentionGrid(int tiles, int heads) => Plane(tiles, heads, AttentionThreads);
}
