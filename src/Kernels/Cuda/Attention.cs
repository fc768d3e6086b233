namespace RepNoise.Kernels.Cuda;

/// <summary>Family attention. Variants: <c>naive</c>, a warp per row and head.</summary>
internal sealed class Attention
{
    private const string Family = "attention";
    private const string NaiveModule = "attention_naive";
    private const int NaiveThreads = 128;
    private const int NaiveWarps = NaiveThreads / 32;
    private const int LargestHead = 256;

    private readonly CudaKernel<ForwardArguments> forward;
    private readonly CudaKernel<QueryArguments> query;
    private readonly CudaKernel<KeyArguments> key;

    public Attention(CudaContext context, CudaVariants variants)
    {
        _ = variants.Choose(Family, ["naive"], "naive");
        forward = new CudaKernel<ForwardArguments>(context, NaiveModule, $"attention_forward_naive_{context.Suffix}", NaiveThreads);
        query = new CudaKernel<QueryArguments>(context, NaiveModule, $"attention_backward_query_naive_{context.Suffix}", NaiveThreads);
        key = new CudaKernel<KeyArguments>(context, NaiveModule, $"attention_backward_key_naive_{context.Suffix}", NaiveThreads);
    }

    /// <summary>Why a shape cannot run, or null.</summary>
    public static string? Refuse(AttentionShape shape) =>
        shape.HeadSize <= LargestHead ? null : $"head size {shape.HeadSize} is over {LargestHead}";

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape) =>
        forward.Launch(Tasks(q.Rows, shape.Heads), new ForwardArguments(
            MatrixArgument.Of(output), MatrixArgument.Of(lse), MatrixArgument.Of(q), MatrixArgument.Of(k), MatrixArgument.Of(v),
            PlanArgument.Of(plan, shape)));

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        var (d, o, l) = (MatrixArgument.Of(dOutput), MatrixArgument.Of(output), MatrixArgument.Of(lse));
        var (queries, keys, values) = (MatrixArgument.Of(q), MatrixArgument.Of(k), MatrixArgument.Of(v));
        var planned = PlanArgument.Of(plan, shape);
        query.Launch(Tasks(q.Rows, shape.Heads), new QueryArguments(MatrixArgument.Of(dQ), d, o, l, queries, keys, values, planned));
        key.Launch(Tasks(k.Rows, shape.KeyValueHeads), new KeyArguments(
            MatrixArgument.Of(dK), MatrixArgument.Of(dV), d, o, l, queries, keys, values, planned));
    }

    private static Grid Tasks(int rows, int heads) => new((int)Packs.Blocks((long)rows * heads, NaiveWarps));

    private readonly record struct ForwardArguments(
        MatrixArgument Output, MatrixArgument Lse, MatrixArgument Q, MatrixArgument K, MatrixArgument V, PlanArgument Plan);

    private readonly record struct QueryArguments(
        MatrixArgument DQ, MatrixArgument DOutput, MatrixArgument Output, MatrixArgument Lse, MatrixArgument Q, MatrixArgument K,
        MatrixArgument V, PlanArgument Plan);

    private readonly record struct KeyArguments(
        MatrixArgument DK, MatrixArgument DV, MatrixArgument DOutput, MatrixArgument Output, MatrixArgument Lse, MatrixArgument Q,
        MatrixArgument K, MatrixArgument V, PlanArgument Plan);

    /// <summary><c>Plan</c> of attention_naive.cu.</summary>
    private readonly record struct PlanArgument(
        nint Segments, nint Positions, int Count, int Window, int Heads, int KeyValueHeads, int HeadSize, float Scale)
    {
        public static PlanArgument Of(AttentionPlan plan, AttentionShape shape) => new(
            MatrixArgument.Address(plan.DeviceSegments), MatrixArgument.Address(plan.DevicePositions), plan.Segments.Length,
            shape.Window ?? 0, shape.Heads, shape.KeyValueHeads, shape.HeadSize, (float)shape.Scale);
    }
}
