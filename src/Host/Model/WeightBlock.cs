using RepNoise.Kernels;

namespace RepNoise.Host.Model;

/// <summary>What a set of weights is held for; decides which buffers exist beside the values.</summary>
public enum ParameterUse
{
    /// <summary>Forward passes only.</summary>
    Inference,

    /// <summary>Forward and backward: gradients.</summary>
    Training,
}

/// <summary>
/// A matrix that the engine multiplies by or updates as one: a single tensor of the checkpoint, or several that lie below each
/// other (q, k and v; gate and up), so that one product serves them.
/// </summary>
public sealed class WeightBlock
{
    /// <summary>Rows and columns of the stacked matrix; vectors are one row.</summary>
    public required int Rows { get; init; }

    public required int Columns { get; init; }

    /// <summary>True for matrices: weight decay leaves norms and biases alone, as transformers' Trainer does.</summary>
    public required bool Decays { get; init; }

    /// <summary>State: what the optimizer updates.</summary>
    public Tensor Master { get; internal set; }

    /// <summary>Compute: what forward and backward read. The master itself where the device has one format.</summary>
    public Tensor Value { get; internal set; }

    /// <summary>State; none under <see cref="ParameterUse.Inference"/> and for a frozen matrix. That of a frozen vector is thrown away.</summary>
    public Tensor Gradient { get; internal set; }

    /// <summary>True where an optimizer updates it: not frozen, and no adapter in its place.</summary>
    public bool IsTrained { get; internal set; }

    /// <summary>Adapters beside the matrices that lie in it.</summary>
    public IReadOnlyList<LoraAdapter> Adapters { get; internal set; } = [];

    public long Length => (long)Rows * Columns;

    /// <summary>
    /// True for a matrix whose gradient every backward computes as one whole product: its first product since
    /// <see cref="ModelParameters.ZeroGradients"/> overwrites, which saves writing zeros and reading them back.
    /// </summary>
    internal bool GradientStartsAsProduct { get; set; }

    /// <summary>False from <see cref="ModelParameters.ZeroGradients"/> to the first product, for such a matrix.</summary>
    internal bool HasGradient { get; set; } = true;
}

/// <summary>A tensor of the checkpoint as a part of a block.</summary>
/// <param name="Name">Its name in the model folder.</param>
/// <param name="Block">The block that holds it.</param>
/// <param name="FirstRow">Its first row there.</param>
/// <param name="FirstColumn">Its first column there.</param>
/// <param name="Rows">Its rows; a vector is one row.</param>
/// <param name="Columns">Its columns.</param>
/// <param name="IsVector">True where the checkpoint's shape has one dimension.</param>
public sealed record Parameter(string Name, WeightBlock Block, int FirstRow, int FirstColumn, int Rows, int Columns, bool IsVector)
{
    public long Length => (long)Rows * Columns;

    public Tensor Master => PartOf(Block.Master);

    public Tensor Gradient => PartOf(Block.Gradient);

    /// <summary>The checkpoint's shape.</summary>
    public IReadOnlyList<long> Shape => IsVector ? [Columns] : [Rows, Columns];

    /// <summary>The parameter's part of a tensor that has its block's shape.</summary>
    public Tensor PartOf(Tensor whole) => whole.RowRange(FirstRow, Rows).ColumnRange(FirstColumn, Columns);
}
