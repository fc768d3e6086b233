using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// Every tile of the CUDA matrix products, forced, on both sides of its edges. Operands are small integers, so that sums are exact in
/// any order and the result must have the bits of plain loops.
/// </summary>
public sealed class CudaMatmulTests
{
    /// <summary>Every tile in every form.</summary>
    public static TheoryData<string, MatmulForm> Variants
    {
        get
        {
            var data = new TheoryData<string, MatmulForm>();
            foreach (var tile in AllTiles())
            {
                foreach (var form in Enum.GetValues<MatmulForm>()) data.Add(tile.Name, form);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Tiles_are_exact_at_their_edges(string variant, MatmulForm form)
    {
        var tile = AllTiles().First(t => t.Name == variant);
        using var device = Create(variant);
        foreach (int m in new[] { 8, tile.BlockM, tile.BlockM + 8 }) Check(device, form, m, tile.BlockN - 8, 2 * tile.BlockK + 8);
        foreach (int n in new[] { tile.BlockN, tile.BlockN + 8 }) Check(device, form, tile.BlockM - 8, n, tile.BlockK);
        // A ring of stages that is not filled, just filled, and used again.
        foreach (int stages in new[] { 1, 3, 4, 9 }) Check(device, form, 16, 24, stages * tile.BlockK);
        // Rows that start anywhere, for those that take them: lanes of a warp then go different ways through the copies.
        if (!MatmulTile.BFloat16.Contains(tile)) Check(device, form, 33, 35, 4 * tile.BlockK + 3);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Parts_of_a_long_product_are_exact(string variant, MatmulForm form)
    {
        using var device = Create(variant);
        Check(device, form, 16, 24, 2048);
        Check(device, form, 8, 40, 1000);
    }

    [Fact]
    public void A_long_product_is_split_and_a_wide_one_is_not()
    {
        Assert.True(MatmulTile.Choose(MatmulTile.BFloat16, MatmulForm.NT, 64, 64, 8192, 132).Parts > 1);
        Assert.Equal(1, MatmulTile.Choose(MatmulTile.BFloat16, MatmulForm.NT, 8192, 8192, 8192, 132).Parts);
        Assert.Equal(1, MatmulTile.Choose(MatmulTile.BFloat16, MatmulForm.NT, 64, 64, 128, 132).Parts);
    }

    /// <summary>The shapes of docs/kernels/matmul-cuda.md on an H100's 132 multiprocessors; each choice is the fastest measured, or within 7 % of it.</summary>
    [Theory]
    [InlineData(MatmulForm.NT, 4096, 4096, 4096, "tall")]
    [InlineData(MatmulForm.NT, 2048, 4096, 11008, "tall")]
    [InlineData(MatmulForm.NT, 8192, 8192, 8192, "tall")]
    [InlineData(MatmulForm.NT, 2048, 12288, 4096, "tall")]
    [InlineData(MatmulForm.NT, 2048, 2048, 2048, "tall")]
    [InlineData(MatmulForm.NT, 2048, 5632, 2048, "tall")]
    [InlineData(MatmulForm.NT, 256, 32000, 2048, "tall")]
    [InlineData(MatmulForm.NN, 2048, 4096, 22016, "tall")]
    [InlineData(MatmulForm.NN, 2048, 2048, 5632, "tall")]
    [InlineData(MatmulForm.TN, 4096, 11008, 2048, "square")]
    [InlineData(MatmulForm.TN, 2048, 5632, 2048, "square")]
    [InlineData(MatmulForm.TN, 32000, 2048, 256, "square")]
    [InlineData(MatmulForm.NT, 512, 512, 4096, "square")]
    [InlineData(MatmulForm.NT, 16, 4096, 4096, "small")]
    public void The_choice_of_a_tile_follows_the_measurements(MatmulForm form, int m, int n, int k, string expected) =>
        Assert.Equal(expected, MatmulTile.Choose(MatmulTile.BFloat16, form, m, n, k, 132).Tile.Name);

    [Fact]
    public void Tiles_that_a_device_has_no_room_for_are_left_out()
    {
        const int KiB = 1024;
        Assert.Equal([("tall", 1), ("square", 2), ("small", 4)], Fitting(227 * KiB, 228 * KiB)); // H100
        Assert.Equal([("tall", 1), ("square", 1), ("small", 3)], Fitting(163 * KiB, 164 * KiB)); // A100
        Assert.Equal([("square", 1), ("small", 2)], Fitting(99 * KiB, 100 * KiB)); // compute capability 8.6

        static IEnumerable<(string, int)> Fitting(int perBlock, int perMultiprocessor) =>
            MatmulTile.Fitting(MatmulTile.BFloat16, perBlock, perMultiprocessor).Select(tile => (tile.Name, tile.PerMultiprocessor));
    }

    private static MatmulTile[] AllTiles() => [.. MatmulTile.BFloat16, MatmulTile.BFloat16Any, .. MatmulTile.Float32, MatmulTile.Tf32];

    private static Device Create(string variant)
    {
        var options = new DeviceOptions { Kernels = new Dictionary<string, string> { ["matmul"] = variant } };
        bool isFloat = MatmulTile.Float32.Append(MatmulTile.Tf32).Any(tile => tile.Name == variant);
        return isFloat ? CudaTestDevices.Float32(options) : CudaTestDevices.BFloat16(options);
    }

    /// <summary>C += A B of integers against plain loops.</summary>
    internal static void Check(Device device, MatmulForm form, int m, int n, int k)
    {
        var a = form == MatmulForm.TN ? Integers(k, m, 1) : Integers(m, k, 1);
        var b = form == MatmulForm.NT ? Integers(n, k, 2) : Integers(k, n, 2);
        var c = Integers(m, n, 3);
        Tensor left = Upload(a, BufferKind.Compute), right = Upload(b, BufferKind.Compute), result = Upload(c, BufferKind.State);
        device.Matmul(result, left, right, form, accumulate: true);
        var found = new float[m * n];
        device.Download(result, found);
        foreach (var tensor in new[] { left, right, result }) tensor.Buffer.Dispose();
        for (int row = 0; row < m; row++)
        {
            for (int column = 0; column < n; column++)
            {
                float expected = c[row, column];
                for (int i = 0; i < k; i++)
                    expected += (form == MatmulForm.TN ? a[i, row] : a[row, i]) * (form == MatmulForm.NT ? b[column, i] : b[i, column]);
                if (found[row * n + column] != expected)
                    Assert.Fail($"{form} {m} x {n} x {k}: C[{row}, {column}] is {found[row * n + column]}, expected {expected}");
            }
        }

        Tensor Upload(float[,] values, BufferKind kind)
        {
            var tensor = device.AllocateTensor(kind, values.GetLength(0), values.GetLength(1), "test");
            device.Upload(values.Cast<float>().ToArray(), tensor);
            return tensor;
        }
    }

    private static float[,] Integers(int rows, int columns, int seed)
    {
        var random = new Random(seed);
        var values = new float[rows, columns];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++) values[r, c] = random.Next(-8, 9);
        }

        return values;
    }
}
