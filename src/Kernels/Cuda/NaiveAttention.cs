namespace RepNoise.Kernels.Cuda;

/// <summary>Attention by a warp per row and head, keys one by one: what <see cref="FlashAttention"/> is compared with.</summary>
internal sealed class NaiveAttention(CudaContext context)
{
    private const string NaiveModule = "attention_naive";
    private const int NaiveThreads = 128;
    private const int NaiveWarps = NaiveThreads / 32;

    private readonly Lazy<CudaKernel<ForwardArguments>> forward = new(() => new CudaKernel<ForwardArguments>(
        context, NaiveModule, $"attention_forward_naive_{context.Suffix}", NaiveThreads));

    private readonly Lazy<CudaKernel<QueryArguments>> query = new(() => new CudaKernel<QueryArguments>(
        context, NaiveModule, $"attention_backward_query_naive_{context.Suffix}", NaiveThreads));

    private readonly Lazy<CudaKernel<KeyArguments>> key = new(() => new CudaKernel<KeyArguments>(
        context, NaiveModule, $"attention_backward_key_naive_{context.Suffix}", NaiveThreads));

    public void Forward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape) =>
        forward.Value.Launch(Tasks(q.Rows, shape.Heads), new ForwardArguments(
            MatrixArgument.Of(output), MatrixArgument.Of(lse), MatrixArgument.Of(q), MatrixArgument.Of(k), MatrixArgument.Of(v),
            PlanArgument.Of(plan, shape)));

    public void Backward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        var (d, o, l) = (MatrixArgument.Of(dOutput), MatrixArgument.Of(output), MatrixArgument.Of(lse));
        var (queries, keys, values) = (MatrixArgument.Of(q), MatrixArgument.Of(k), MatrixArgument.Of(v));
        var planned = PlanArgument.Of(plan, shape);
        query.Value.Launch(Tasks(q.Rows, shape.Heads), new QueryArguments(MatrixArgument.Of(dQ), d, o, l, queries, keys, values, planned));
        key.Value.Launch(Tasks(k.Rows, shape.KeyValueHeads), new KeyArguments(
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
