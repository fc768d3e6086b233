namespace RepNoise.Kernels.Cuda;

/// <summary>What the tiles' kernels take, in their order.</summary>
/// <param name="A">Address of A's first element.</param>
/// <param name="B">Address of B's first element.</param>
/// <param name="C">Address of C's, or of the parts' sums.</param>
/// <param name="Bias">Address of the bias, or 0.</param>
/// <param name="M">Rows of C.</param>
/// <param name="N">Columns of C.</param>
/// <param name="K">Depth of the product.</param>
/// <param name="StrideA">Elements between rows of A.</param>
/// <param name="StrideB">Elements between rows of B.</param>
/// <param name="StrideC">Elements between rows of C.</param>
/// <param name="PartStride">Elements between the sums of parts.</param>
/// <param name="DepthOfPart">K of each part but the last.</param>
/// <param name="Flags">1 adds to C, 2 says that C is float32.</param>
internal readonly record struct MatmulOperands(
    nint A, nint B, nint C, nint Bias, int M, int N, int K, long StrideA, long StrideB, long StrideC, long PartStride, int DepthOfPart, int Flags);

/// <summary>What the kernels take that make logits, in their order: C (M, N) = A (M, K) B (N, K)^T.</summary>
/// <param name="A">Address of A's first element.</param>
/// <param name="B">Address of B's first element.</param>
/// <param name="C">Address of C's; 0 where the sums are enough.</param>
/// <param name="M">Rows.</param>
/// <param name="N">The vocabulary.</param>
/// <param name="K">Depth of the product.</param>
/// <param name="StrideA">Elements between rows of A.</param>
/// <param name="StrideB">Elements between rows of B.</param>
/// <param name="StrideC">Elements between rows of C.</param>
/// <param name="Sums">Where the sums of rows go.</param>
internal readonly record struct LogitsOperands(
    nint A, nint B, nint C, int M, int N, int K, long StrideA, long StrideB, long StrideC, RowSums Sums);

/// <summary>What softmax needs of rows of logits: <c>RowSums</c> of native/cuda/include/row_sums.cuh.</summary>
/// <param name="Pairs">Address of (M, Strips) pairs of floats: a strip's largest logit, and its sum of exponentials less that.</param>
/// <param name="Chosen">Address of M floats, the targets' logits.</param>
/// <param name="Targets">Address of M targets.</param>
/// <param name="Strips">Strips of a row.</param>
/// <param name="Reserved">Fills the struct to a multiple of its alignment.</param>
internal readonly record struct RowSums(nint Pairs, nint Chosen, nint Targets, int Strips, int Reserved = 0)
{
    /// <summary>Bytes of a strip's largest logit and sum.</summary>
    public const int PairBytes = 2 * sizeof(float);

    /// <summary>The narrowest strip of any tile that sums rows.</summary>
    private static readonly int LeastStrip = MatmulTile.BFloat16.Concat(MatmulTile.Float32).Concat(WarpGroupMatmul.Tiles).Min(tile => tile.StripColumns);

    /// <summary>Memory of pairs and targets' logits, for as many rows as a chunk of logits has and whatever the tile.</summary>
    public static long Bytes(int rows, int columns) => rows * ((Packs.Blocks(columns, LeastStrip) * PairBytes) + sizeof(float));

    /// <summary>In memory of that size.</summary>
    public static RowSums In(nint memory, int rows, int strips, nint targets) =>
        new(memory, memory + checked((nint)((long)rows * strips * PairBytes)), targets, strips);
}
