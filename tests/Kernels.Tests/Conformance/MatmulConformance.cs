using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>Cases of the family matmul.</summary>
public abstract class MatmulConformance : Conformance
{
    private static readonly (int M, int N, int K)[] Sizes =
    [
        (7, 64, 48), (1, 1, 1), (5, 123, 123), (123, 5, 123), (123, 123, 5), (1, 257, 64), (64, 1, 33), (33, 65, 17), (14, 32, 16),
        (15, 33, 31), (13, 31, 65), (0, 8, 8), (3, 4, 0), (90, 70, 260),
    ];

    /// <summary>Every size in every form.</summary>
    public static TheoryData<MatmulForm, int, int, int> Products
    {
        get
        {
            var data = new TheoryData<MatmulForm, int, int, int>();
            foreach (var form in Enum.GetValues<MatmulForm>())
            {
                foreach (var (m, n, k) in Sizes) data.Add(form, m, n, k);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Products))]
    public void Product_is_written(MatmulForm form, int m, int n, int k) => Forward(301, bench =>
    {
        var (a, b) = Operands(bench, form, m, n, k);
        var c = bench.Written("c", BufferKind.Compute, m, n, magnitude: Math.Sqrt(k));
        bench.Device.Matmul(c, a, b, form);
    });

    [Theory]
    [MemberData(nameof(Products))]
    public void Product_is_added_to_state(MatmulForm form, int m, int n, int k) => Forward(302, bench =>
    {
        var (a, b) = Operands(bench, form, m, n, k);
        var c = bench.Updated("c", BufferKind.State, m, n, magnitude: Math.Sqrt(k + 1));
        bench.Device.Matmul(c, a, b, form, accumulate: true);
    });

    [Theory]
    [InlineData(MatmulForm.NN, 7, 64, 48)]
    [InlineData(MatmulForm.NT, 5, 123, 123)]
    [InlineData(MatmulForm.TN, 33, 65, 17)]
    public void Product_is_added_to_compute(MatmulForm form, int m, int n, int k) => Forward(303, bench =>
    {
        var (a, b) = Operands(bench, form, m, n, k);
        var c = bench.Updated("c", BufferKind.Compute, m, n, magnitude: Math.Sqrt(k + 1));
        bench.Device.Matmul(c, a, b, form, accumulate: true);
    });

    [Theory]
    [InlineData(MatmulForm.NT, 7, 64, 48, false)]
    [InlineData(MatmulForm.NT, 1, 1, 1, false)]
    [InlineData(MatmulForm.NT, 5, 123, 123, true)]
    [InlineData(MatmulForm.NN, 33, 65, 17, true)]
    [InlineData(MatmulForm.TN, 15, 31, 33, false)]
    [InlineData(MatmulForm.NT, 123, 70, 5, false)]
    [InlineData(MatmulForm.NT, 90, 70, 260, true)]
    [InlineData(MatmulForm.NT, 3, 4, 0, false)]
    public void Bias_is_added_to_every_row(MatmulForm form, int m, int n, int k, bool accumulate) => Forward(304, bench =>
    {
        var (a, b) = Operands(bench, form, m, n, k);
        var bias = bench.Input("bias", BufferKind.Compute, 1, n);
        double magnitude = Math.Sqrt(k + 2);
        var c = accumulate
            ? bench.Updated("c", BufferKind.Compute, m, n, magnitude: magnitude)
            : bench.Written("c", BufferKind.Compute, m, n, magnitude);
        bench.Device.Matmul(c, a, b, form, accumulate, bias);
    });

    [Theory]
    [InlineData(MatmulForm.NN)]
    [InlineData(MatmulForm.NT)]
    [InlineData(MatmulForm.TN)]
    public void Not_a_number_and_infinity_reach_their_row_and_column_alone(MatmulForm form) => Forward(305, bench =>
    {
        const int M = 19, N = 37, K = 23;
        var (aRows, aColumns) = form == MatmulForm.TN ? (K, M) : (M, K);
        var (bRows, bColumns) = form == MatmulForm.NT ? (N, K) : (K, N);
        var left = bench.Gaussians(M * K);
        (left[0], left[200], left[^1]) = (double.NaN, double.PositiveInfinity, double.NegativeInfinity);
        var a = bench.Input("a", BufferKind.Compute, aRows, aColumns, left);
        var right = bench.Gaussians(K * N);
        right[300] = double.NaN;
        var b = bench.Input("b", BufferKind.Compute, bRows, bColumns, right);
        var c = bench.Written("c", BufferKind.Compute, M, N, magnitude: Math.Sqrt(K));
        bench.Device.Matmul(c, a, b, form);
    });

    [Theory]
    [InlineData(7, 64)]
    [InlineData(1, 1)]
    [InlineData(123, 5)]
    [InlineData(5, 123)]
    [InlineData(65, 257)]
    [InlineData(0, 4)]
    public void Bias_gradient_sums_the_rows(int rows, int columns) => Backward(306, bench =>
    {
        var dOutput = bench.Input("dOutput", BufferKind.Compute, rows, columns);
        var dBias = bench.Updated("dBias", BufferKind.State, 1, columns, magnitude: Math.Sqrt(rows + 1));
        bench.Device.BiasBackward(dBias, dOutput);
    });

    [Fact]
    public void Bias_gradient_in_the_compute_format() => Backward(307, bench =>
    {
        var dOutput = bench.Input("dOutput", BufferKind.Compute, 65, 33);
        bench.Device.BiasBackward(bench.Updated("dBias", BufferKind.Compute, 1, 33, magnitude: Math.Sqrt(66)), dOutput);
    });

    private static (Tensor A, Tensor B) Operands(Workbench bench, MatmulForm form, int m, int n, int k) => (
        form == MatmulForm.TN ? bench.Input("a", BufferKind.Compute, k, m) : bench.Input("a", BufferKind.Compute, m, k),
        form == MatmulForm.NT ? bench.Input("b", BufferKind.Compute, n, k) : bench.Input("b", BufferKind.Compute, k, n));
}
