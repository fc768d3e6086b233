namespace RepNoise.Kernels;

/// <summary>Which operand of a matrix product is read transposed.</summary>
public enum MatmulForm
{
    /// <summary>C (M, N) = A (M, K) B (K, N): dX = dY W.</summary>
    NN,

    /// <summary>C (M, N) = A (M, K) B (N, K)^T: Y = X W^T, the linear layer.</summary>
    NT,

    /// <summary>C (M, N) = A (K, M)^T B (K, N): dW += dY^T X.</summary>
    TN,
}

/// <summary>Family matmul: one entry for every linear layer, forward and both backwards.</summary>
public abstract partial class Device
{
    /// <summary>C = op(A) op(B), or C += with <paramref name="accumulate"/>, plus a bias row where one is given.</summary>
    /// <param name="c">(M, N), written or accumulated.</param>
    /// <param name="a">(M, K), or (K, M) in form TN.</param>
    /// <param name="b">(K, N), or (N, K) in form NT.</param>
    /// <param name="form">Which operand is transposed.</param>
    /// <param name="accumulate">True adds to C.</param>
    /// <param name="bias">(1, N), added to every row, or none.</param>
    public void Matmul(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate = false, Tensor bias = default)
    {
        var (m, n, k) = MatmulShape(a, b, form);
        Check.Shape(nameof(Matmul), c, m, n);
        Check.OptionalShape(nameof(Matmul), bias, 1, n);
        Check.That((form == MatmulForm.NT ? b.Columns : b.Rows) == k, nameof(Matmul), $"{form} of {a} and {b}", "equal inner dimensions");
        using var observed = listener is null ? default : Observe(nameof(Matmul), MatmulCost(m, n, k, Size(c)));
        MatmulCore(c, a, b, form, accumulate, bias);
    }

    /// <summary>dBias (1, N), state, += sum over rows of dOutput (M, N), rows in order.</summary>
    public void BiasBackward(Tensor dBias, Tensor dOutput)
    {
        Check.Shape(nameof(BiasBackward), dBias, 1, dOutput.Columns);
        using var observed = listener is null ? default : Observe(nameof(BiasBackward), BiasBackwardCost(dOutput.Rows, dOutput.Columns, Size(dOutput)));
        BiasBackwardCore(dBias, dOutput);
    }

    /// <summary>M, N and K of a product.</summary>
    public static (int M, int N, int K) MatmulShape(Tensor a, Tensor b, MatmulForm form) => form switch
    {
        MatmulForm.NN => (a.Rows, b.Columns, a.Columns),
        MatmulForm.NT => (a.Rows, b.Rows, a.Columns),
        _ => (a.Columns, b.Columns, a.Rows),
    };

    public static OpCost MatmulCost(long m, long n, long k, int size) =>
        new(2.0 * m * n * k, ((double)m * k + (double)k * n + (double)m * n) * size);

    public static OpCost BiasBackwardCost(int rows, int columns, int size) => new(1.0 * rows * columns, 1.0 * rows * columns * size);

    protected abstract void MatmulCore(Tensor c, Tensor a, Tensor b, MatmulForm form, bool accumulate, Tensor bias);

    protected abstract void BiasBackwardCore(Tensor dBias, Tensor dOutput);
}
