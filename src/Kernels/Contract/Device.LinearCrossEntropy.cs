namespace RepNoise.Kernels;

/// <summary>
/// Family linear_cross_entropy: rows through the vocabulary head and into a cross-entropy, loss and gradients in one go, in
/// chunks of rows against the full vocabulary, so that logits of all rows never exist at once.
/// <para>For a row x with target y: z = W x, loss = logsumexp(z) - z[y], p = softmax(z), dz = p - onehot(y).</para>
/// </summary>
public abstract partial class Device
{
    /// <summary>Largest logits workspace in bytes.</summary>
    public const long LogitsWorkspaceBytes = 64L << 20;

    /// <summary>Losses of R entries and, where asked for, gradients.</summary>
    /// <param name="losses">(1, R), state, written: logsumexp(z) - z[target] of each entry, times its repeats.</param>
    /// <param name="x">(R, C), normed hidden rows.</param>
    /// <param name="weight">(V, C), the head.</param>
    /// <param name="targets">R token ids below V.</param>
    /// <param name="gradientFactor">Scales both gradients; 1 / count makes the mean.</param>
    /// <param name="dX">(R, C), written: factor * dz W; none asks for losses alone.</param>
    /// <param name="dWeight">(V, C), state, accumulated: factor * dz^T x; none leaves it out: a frozen head.</param>
    /// <param name="workspace">(chunk, V), compute; its rows bound the chunk. See <see cref="AllocateLogits"/>. None for losses alone where <see cref="StoresLogits"/> is false.</param>
    /// <param name="repeats">R counts from 1 on: how many equal entries each one stands for, whose losses and gradients it has; none for 1.</param>
    public void LinearCrossEntropy(
        Tensor losses, Tensor x, Tensor weight, Indices targets, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace, Indices repeats = default)
    {
        Check.That(x.Columns == weight.Columns, nameof(LinearCrossEntropy), $"x is {x} with weight {weight}", "equal columns");
        Check.Count(nameof(LinearCrossEntropy), targets, x.Rows);
        if (!repeats.IsEmpty) Check.Count(nameof(LinearCrossEntropy), repeats, x.Rows);
        Check.Shape(nameof(LinearCrossEntropy), losses, 1, x.Rows);
        Check.OptionalShape(nameof(LinearCrossEntropy), dX, x.Rows, x.Columns);
        Check.OptionalShape(nameof(LinearCrossEntropy), dWeight, weight.Rows, weight.Columns);
        Check.That(!dX.IsEmpty || dWeight.IsEmpty, nameof(LinearCrossEntropy), "only dWeight is asked for", "dX beside it, or neither");
        Check.That(workspace.IsEmpty ? dX.IsEmpty && !StoresLogits(x, weight) : workspace.Rows > 0 && workspace.Columns == weight.Rows, nameof(LinearCrossEntropy),
            $"workspace is {workspace}", $"(chunk, {weight.Rows})");
        using var observed = listener is null ? default : Observe(nameof(LinearCrossEntropy), LinearCrossEntropyCost(x.Rows, x.Columns, weight.Rows, !dX.IsEmpty, !dWeight.IsEmpty, Size(x)));
        if (x.Rows > 0) LinearCrossEntropyCore(losses, x, weight, targets, repeats, gradientFactor, dX, dWeight, workspace);
    }

    /// <summary>False where losses alone take no workspace: no logit of such operands is stored. Gradients always take one.</summary>
    /// <param name="x">(R, C), as <see cref="LinearCrossEntropy"/> will get it, or with other rows.</param>
    /// <param name="weight">(V, C), the head.</param>
    public virtual bool StoresLogits(Tensor x, Tensor weight) => true;

    /// <summary>
    /// Rows of logits that a workspace should hold: as many as the device makes good use of, fewer where that passes
    /// <see cref="LogitsWorkspaceBytes"/>.
    /// </summary>
    public int LogitsChunkRows(int vocabulary)
    {
        long rowBytes = (long)LogitsStride(vocabulary) * FormatOf(BufferKind.Compute).Size();
        return (int)Math.Clamp(LogitsWorkspaceBytes / rowBytes, 1, UsefulLogitsRows(vocabulary));
    }

    /// <summary>A workspace of that many rows, as far apart as the device multiplies them best, whatever the vocabulary.</summary>
    /// <returns>(<see cref="LogitsChunkRows"/>, V), in a buffer of its own, of category <see cref="MemoryCategory.Logits"/>.</returns>
    public Tensor AllocateLogits(int vocabulary) =>
        AllocateTensor(BufferKind.Compute, LogitsChunkRows(vocabulary), LogitsStride(vocabulary), MemoryCategory.Logits).ColumnRange(0, vocabulary);

    /// <summary>Elements from one row of such a workspace to the next.</summary>
    protected internal virtual int LogitsStride(int vocabulary) => vocabulary;

    /// <summary>Rows of a chunk beyond which more would not pay for their memory.</summary>
    protected internal virtual int UsefulLogitsRows(int vocabulary) => 256;

    public static OpCost LinearCrossEntropyCost(long rows, long columns, long vocabulary, bool dX, bool dWeight, int size) => new(
        (2.0 + (dX ? 2 : 0) + (dWeight ? 2 : 0)) * rows * columns * vocabulary + 5.0 * rows * vocabulary,
        ((dWeight ? 3.0 : 1.0) * vocabulary * columns + (dX ? 2.0 : 1.0) * rows * columns) * size);

    protected abstract void LinearCrossEntropyCore(
        Tensor losses, Tensor x, Tensor weight, Indices targets, Indices repeats, double gradientFactor, Tensor dX, Tensor dWeight, Tensor workspace);
}
