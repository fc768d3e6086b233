using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu.Code;

namespace RepNoise.Kernels.Ilgpu;

/// <summary>Attention and the vocabulary's cross-entropy.</summary>
public sealed partial class IlgpuDevice
{
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
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace)
    {
        _ = Numbers(nameof(LinearCrossEntropy), targets, weight.Rows);
        for (int start = 0; start < x.Rows; start += workspace.Rows)
        {
            int count = Math.Min(workspace.Rows, x.Rows - start);
            Tensor rows = x.RowRange(start, count), logits = workspace.RowRange(0, count);
            MatmulCore(logits, rows, weight, MatmulForm.NT, accumulate: false, bias: default);
            kernels.CrossEntropyRows(Stream, Groups(count, ReductionThreads(logits.Columns)),
                View(losses.ColumnRange(start, count)).Data, View(logits), Numbers(targets.Range(start, count)), Numbers((repeats.IsEmpty ? targets : repeats).Range(start, count)), repeats.IsEmpty ? 0 : 1, (float)gradientFactor,
                dX.IsEmpty ? 0 : 1);
            if (dX.IsEmpty) continue;
            MatmulCore(dX.RowRange(start, count), logits, weight, MatmulForm.NN, accumulate: false, bias: default);
            if (!dWeight.IsEmpty) MatmulCore(dWeight, logits, rows, MatmulForm.TN, accumulate: true, bias: default);
        }
    }

    /// <summary>Four threads for each row of an attention tile.</summary>
    private int AttentionThreads => IsCpu ? 2 * AttentionTile.Columns : 4 * AttentionTile.MaxRows;

    private int QueryTiles(AttentionPlan plan)
    {
        int tiles = 0, rows = AttentionThreads / 4;
        foreach (var segment in plan.Segments) tiles += (segment.QueryCount + rows - 1) / rows;
        return tiles;
    }

    private KernelConfig AttentionGrid(int tiles, int heads) => Plane(tiles, heads, AttentionThreads);
}
