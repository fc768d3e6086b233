namespace RepNoise.Kernels;

/// <summary>
/// Family attention: causal softmax attention over segments with context, grouped heads and sliding window. Scores of all
/// T x T pairs are never kept; the forward saves the log-sum-exp of each row (Dao et al., arXiv 2205.14135). A single row
/// against a key/value cache is the same operation: k and v are then the cache.
/// </summary>
public abstract partial class Device
{
    /// <summary>Why this device cannot run an attention of this shape, or null where it can.</summary>
    public virtual string? RefuseAttention(AttentionShape shape) => null;

    /// <summary>For each query row and head: output = softmax(scale * q k^T over visible keys) v.</summary>
    /// <param name="output">(NQ, NH * HS), written.</param>
    /// <param name="lse">(NQ, NH), state, written: log-sum-exp of the scaled scores.</param>
    /// <param name="q">(NQ, NH * HS), rotated.</param>
    /// <param name="k">(NK, NKV * HS), rotated.</param>
    /// <param name="v">(NK, NKV * HS).</param>
    /// <param name="plan">Segments over rows of q and of k and v.</param>
    /// <param name="shape">Heads, sizes, window.</param>
    /// <exception cref="ShapeException">A query row sees no key.</exception>
    public void AttentionForward(Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        CheckAttention(nameof(AttentionForward), output, lse, q, k, v, plan, shape);
        using var observed = listener is null ? default : Observe(nameof(AttentionForward), AttentionForwardCost(plan.VisiblePairs(shape.Window), q.Rows, plan.KeyRows, shape, Size(q)));
        AttentionForwardCore(output, lse, q, k, v, plan, shape);
    }

    /// <summary>Gradients of the attention; every row of dQ, dK and dV is written, zeros where nothing reached it.</summary>
    /// <param name="dQ">(NQ, NH * HS), written.</param>
    /// <param name="dK">(NK, NKV * HS), written.</param>
    /// <param name="dV">(NK, NKV * HS), written.</param>
    /// <param name="dOutput">(NQ, NH * HS).</param>
    /// <param name="output">(NQ, NH * HS), from the forward.</param>
    /// <param name="lse">(NQ, NH), from the forward.</param>
    /// <param name="q">(NQ, NH * HS).</param>
    /// <param name="k">(NK, NKV * HS).</param>
    /// <param name="v">(NK, NKV * HS).</param>
    /// <param name="plan">The forward's plan.</param>
    /// <param name="shape">The forward's shape.</param>
    public void AttentionBackward(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape)
    {
        CheckAttention(nameof(AttentionBackward), output, lse, q, k, v, plan, shape);
        Check.Shape(nameof(AttentionBackward), dQ, q.Rows, q.Columns);
        Check.Shape(nameof(AttentionBackward), dK, k.Rows, k.Columns);
        Check.Shape(nameof(AttentionBackward), dV, v.Rows, v.Columns);
        Check.Shape(nameof(AttentionBackward), dOutput, q.Rows, q.Columns);
        using var observed = listener is null ? default : Observe(nameof(AttentionBackward), AttentionBackwardCost(plan.VisiblePairs(shape.Window), q.Rows, plan.KeyRows, shape, Size(q)));
        AttentionBackwardCore(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
    }

    /// <param name="visiblePairs">See <see cref="AttentionPlan.VisiblePairs"/>.</param>
    /// <param name="queryRows">NQ.</param>
    /// <param name="keyRows">NK.</param>
    /// <param name="shape">Heads and sizes.</param>
    /// <param name="size">Bytes of an element.</param>
    public static OpCost AttentionForwardCost(long visiblePairs, long queryRows, long keyRows, AttentionShape shape, int size) => new(
        4.0 * visiblePairs * shape.Heads * shape.HeadSize,
        2.0 * (queryRows * shape.Heads + keyRows * shape.KeyValueHeads) * shape.HeadSize * size);

    /// <inheritdoc cref="AttentionForwardCost"/>
    public static OpCost AttentionBackwardCost(long visiblePairs, long queryRows, long keyRows, AttentionShape shape, int size) => new(
        10.0 * visiblePairs * shape.Heads * shape.HeadSize,
        4.0 * (queryRows * shape.Heads + keyRows * shape.KeyValueHeads) * shape.HeadSize * size);

    protected abstract void AttentionForwardCore(
        Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape);

    protected abstract void AttentionBackwardCore(
        Tensor dQ, Tensor dK, Tensor dV, Tensor dOutput, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v,
        AttentionPlan plan, AttentionShape shape);

    private void CheckAttention(
        string operation, Tensor output, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionPlan plan, AttentionShape shape)
    {
        Check.That(shape is { HeadSize: > 0, KeyValueHeads: > 0 } && shape.Heads % shape.KeyValueHeads == 0, operation,
            $"{shape.Heads} heads over {shape.KeyValueHeads} of size {shape.HeadSize}", "key/value heads that divide the heads");
        Check.Shape(operation, q, plan.QueryRows, shape.Heads * shape.HeadSize);
        Check.Shape(operation, output, q.Rows, q.Columns);
        Check.Shape(operation, lse, q.Rows, shape.Heads);
        Check.That(k.Rows >= plan.KeyRows, operation, $"k has {k.Rows} rows", $"at least the {plan.KeyRows} that the plan reads");
        Check.Shape(operation, k, k.Rows, shape.KeyValueHeads * shape.HeadSize);
        Check.Shape(operation, v, k.Rows, k.Columns);
        int blind = plan.FirstBlindRow(shape.Window);
        Check.That(blind < 0, operation, $"query row {blind} sees no key", "at least one visible key for every row");
        if (RefuseAttention(shape) is { } reason) throw new DeviceException(Name, $"{operation}: {reason}", "Use another device");
    }
}
