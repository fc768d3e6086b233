using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// The cross-entropy with every tile that makes logits, forced, on both sides of its edges, and with those variants whose logits are summed after the product.
/// Operands are small integers, so that logits are exact; loss and gradient of the logits are compared with sums in float64.
/// </summary>
public sealed class CudaLogitsTests
{
    private const int Columns = 8;
    private const double Factor = 0.5;

    /// <summary>Widths of strips are the kernels'; a wrong one here would read sums that nobody wrote.</summary>
    public static TheoryData<string> Tiles => new(AllTiles().Select(tile => tile.Name));

    public static TheoryData<string> Variants => new([.. AllTiles().Select(tile => tile.Name), MatmulTile.BFloat16Any.Name, MatmulTile.Tf32.Name, "naive"]);

    [Theory]
    [MemberData(nameof(Tiles))]
    public void Losses_and_gradients_hold_at_the_edges_of_tiles(string variant)
    {
        using var device = Create(variant);
        CheckEdges(device, AllTiles().First(tile => tile.Name == variant));
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Losses_alone_have_the_bits_of_losses_with_gradients(string variant)
    {
        using var device = Create(variant);
        CheckBits(device);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void The_largest_logit_may_lie_in_any_strip_and_be_far_from_the_others(string variant)
    {
        using var device = Create(variant);
        CheckLargest(device);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Columns_beyond_the_vocabulary_have_no_part(string variant)
    {
        using var device = Create(variant);
        CheckBeyond(device);
    }

    /// <summary>Where the product sums the rows, nobody reads their logits and they are not written.</summary>
    [Theory]
    [MemberData(nameof(Tiles))]
    public void Losses_alone_leave_the_workspace_as_it_is(string variant)
    {
        using var device = Create(variant);
        Assert.All(new Case(device, rows: 3, vocabulary: 161).Run(gradients: false).DLogits, value => Assert.Equal(Case.Untouched, value));
    }

    /// <summary>Losses alone where rows are summed after the product, gradients everywhere.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void A_workspace_is_asked_for_where_logits_are_stored(string variant)
    {
        const int Rows = 3, Vocabulary = 40;
        using var device = Create(variant);
        Tensor New(BufferKind kind, int rows, int columns) => device.AllocateTensor(kind, rows, columns, "test");
        Tensor x = New(BufferKind.Compute, Rows, Columns), weight = New(BufferKind.Compute, Vocabulary, Columns), losses = New(BufferKind.State, 1, Rows);
        var targets = device.AllocateIndices(Rows, "test");
        void Run(Tensor dX) => device.LinearCrossEntropy(losses, x, weight, targets, Factor, dX, default, workspace: default);
        bool sums = AllTiles().Any(tile => tile.Name == variant);
        Assert.Equal(!sums, device.StoresLogits(x, weight));
        Assert.Throws<ShapeException>(() => Run(x));
        if (!sums)
        {
            Assert.Throws<ShapeException>(() => Run(default));
            return;
        }

        float[] found = new float[Rows];
        Run(default);
        device.Download(losses, found);
        Assert.All(found, loss => Assert.Equal(Math.Log(Vocabulary), loss, 5));
    }

    /// <summary>Vocabularies and rows on both sides of strips and tiles, targets in the last of them.</summary>
    internal static void CheckEdges(Device device, MatmulTile tile)
    {
        foreach (int vocabulary in new[] { 1, tile.StripColumns - 1, tile.StripColumns, tile.StripColumns + 1, tile.BlockN - 1, tile.BlockN, tile.BlockN + 1, 307 })
            new Case(device, rows: 3, vocabulary).Check();
        foreach (int rows in new[] { 1, tile.BlockM - 1, tile.BlockM, tile.BlockM + 1 }) new Case(device, rows, 2 * tile.StripColumns + 1).Check();
    }

    /// <summary>With gradients or without, again, and in chunks with a last one that is not full: the same bits.</summary>
    internal static void CheckBits(Device device)
    {
        var test = new Case(device, rows: 5, vocabulary: 307);
        var (losses, dLogits) = test.Run(gradients: true);
        Assert.Equal(losses, test.Run(gradients: false).Losses);
        var again = test.Run(gradients: true);
        Assert.Equal(losses, again.Losses);
        Assert.Equal(dLogits, again.DLogits);
        Assert.Equal(losses, test.Run(gradients: true, chunk: 2).Losses);
        Assert.Equal(losses, test.Run(gradients: false, chunk: 2).Losses);
    }

    /// <summary>Losses alone have the bits of losses with gradients where a block has several tiles: more columns of tiles than multiprocessors.</summary>
    internal static void CheckFurtherTiles(Device device, MatmulTile tile)
    {
        var test = new Case(device, rows: 3, vocabulary: (6 * tile.BlockN) + 1);
        test.Check();
        Assert.Equal(test.Run(gradients: true).Losses, test.Run(gradients: false).Losses);
    }

    internal static void CheckLargest(Device device)
    {
        foreach (int place in new[] { 0, 127, 128, 306 })
        {
            var test = new Case(device, rows: 4, vocabulary: 307) { Targets = [place, 0, 306, 130] };
            for (int c = 0; c < Columns; c++) (test.Weight[place, c], test.X[0, c], test.X[1, c], test.X[2, c]) = (4096, 4, 4, -4); // 131072, twice, and its opposite
            test.Check();
        }
    }

    /// <summary>Columns beyond the vocabulary, zeros in the tile, would be the largest by far; as they have no part, the logits of a row are equal and its loss is ln V.</summary>
    internal static void CheckBeyond(Device device)
    {
        foreach (int vocabulary in new[] { 1, 97, 257 })
        {
            var test = new Case(device, rows: 2, vocabulary) { Targets = [0, vocabulary - 1] };
            for (int c = 0; c < Columns; c++)
            {
                (test.X[0, c], test.X[1, c]) = (-1024, -1e30f);
                for (int v = 0; v < vocabulary; v++) test.Weight[v, c] = 1;
            }

            Assert.Equal(Math.Log(vocabulary), test.Check()[0], 2e-3); // float32 counts in 2^-10 there
        }
    }

    /// <summary>Strips of a row, and packs of its logits, beyond the threads of a block: each thread goes on to others, and the target lies in the last.</summary>
    [Theory]
    [InlineData("small")]
    [InlineData("naive")]
    public void A_block_takes_more_strips_and_logits_than_it_has_threads(string variant)
    {
        const int Vocabulary = 16417; // 514 strips of `small`, four rounds of a block of 512 threads, and a rest
        using var device = (CudaDevice)Create(variant);
        uint blocks = 0;
        device.Context.Launched = launch => blocks = launch.Symbol.Contains("_softmax_", StringComparison.Ordinal) ? (uint)launch.Grid.Y : blocks;
        var test = new Case(device, rows: 16, Vocabulary);
        test.Check();
        Assert.InRange(blocks, 1u, 2u); // else a block would have one round
        Assert.Equal(test.Run(gradients: true).Losses, test.Run(gradients: false).Losses);
        for (int c = 0; c < Columns; c++) (test.Weight[Vocabulary - 1, c], test.Weight[Vocabulary - 2, c]) = (4096, 4096);
        test.Check(); // and the largest two, of either sign, in the last strip
    }

    /// <summary>Few rows of a large vocabulary, which the blocks of the device share, with the target in the last part.</summary>
    [Theory]
    [InlineData("tall")]
    [InlineData("fma")]
    public void Blocks_that_share_a_row_have_all_of_its_sums(string variant)
    {
        using var device = (CudaDevice)Create(variant);
        uint blocks = 0;
        device.Context.Launched = launch => blocks = launch.Symbol.Contains("_softmax_", StringComparison.Ordinal) ? (uint)launch.Grid.Y : blocks;
        var test = new Case(device, rows: 1, vocabulary: 8297);
        test.Check();
        Assert.InRange(blocks, 2u, 3u);
        Assert.Equal(test.Run(gradients: true).Losses, test.Run(gradients: false).Losses); // by fewer threads
    }

    /// <summary>
    /// A vocabulary of any size is multiplied by the tiles that copy rows 16 bytes at a time, as its workspace has them so; what lies between rows has no part.
    /// </summary>
    [Theory]
    [InlineData(133)]
    [InlineData(136)]
    public void A_workspace_of_any_vocabulary_has_rows_that_every_tile_takes(int vocabulary)
    {
        using Device small = Create("small"), any = Create("any");
        float[] found = Gradients(small, vocabulary, small.AllocateLogits), expected = Gradients(any, vocabulary, Dense);
        Assert.Equal(expected, found);
        Assert.DoesNotContain(found, float.IsNaN);

        Tensor Dense(int columns) => any.AllocateTensor(BufferKind.Compute, any.LogitsChunkRows(columns), columns, "test");
    }

    [Fact]
    public void A_vocabulary_is_never_multiplied_in_parts()
    {
        using var device = (CudaDevice)CudaTestDevices.BFloat16();
        var symbols = new List<string>();
        device.Context.Launched = launch => symbols.Add($"{launch.Symbol} {launch.Grid.Y}");
        var x = device.AllocateTensor(BufferKind.Compute, 2, 4096, "test");
        var weight = device.AllocateTensor(BufferKind.Compute, 40, 4096, "test");
        new Case(device, 2, 40).Run(gradients: false, x: x, weight: weight);
        Assert.StartsWith("matmul_logits_", symbols[0], StringComparison.Ordinal);
        Assert.EndsWith(" 1", symbols[0], StringComparison.Ordinal);
        Assert.Equal(2, symbols.Count);
        foreach (var tensor in new[] { x, weight }) tensor.Buffer.Dispose();
    }

    /// <summary>dX, then dWeight, of 20 rows, with NaN wherever the workspace has memory.</summary>
    private static float[] Gradients(Device device, int vocabulary, Func<int, Tensor> allocate)
    {
        const int Rows = 20, Columns = 40;
        var random = new Random(vocabulary);
        Tensor New(BufferKind kind, int rows, int columns)
        {
            var tensor = device.AllocateTensor(kind, rows, columns, "test");
            device.Upload([.. Enumerable.Range(0, rows * columns).Select(_ => (float)random.NextDouble() - 0.5f)], tensor);
            return tensor;
        }

        var workspace = allocate(vocabulary);
        device.Fill(Tensor.Of(workspace.Buffer, workspace.Rows, workspace.RowStride), double.NaN);
        Tensor x = New(BufferKind.Compute, Rows, Columns), weight = New(BufferKind.Compute, vocabulary, Columns);
        Tensor losses = New(BufferKind.State, 1, Rows), dX = New(BufferKind.Compute, Rows, Columns), dWeight = New(BufferKind.State, vocabulary, Columns);
        var targets = device.AllocateIndices(Rows, "test");
        device.Upload([.. Enumerable.Range(0, Rows).Select(r => vocabulary - 1 - r)], targets);
        device.LinearCrossEntropy(losses, x, weight, targets, Factor, dX, dWeight, workspace);
        var gradients = new float[(Rows + vocabulary) * Columns];
        device.Download(dX, gradients.AsSpan(0, Rows * Columns));
        device.Download(dWeight, gradients.AsSpan(Rows * Columns));
        return gradients;
    }

    private static IEnumerable<MatmulTile> AllTiles() => MatmulTile.BFloat16.Concat(MatmulTile.Float32);

    private static Device Create(string variant)
    {
        var options = new DeviceOptions { Kernels = new Dictionary<string, string> { ["matmul"] = variant } };
        return MatmulTile.Float32.Append(MatmulTile.Tf32).Any(tile => tile.Name == variant) ? CudaTestDevices.Float32(options) : CudaTestDevices.BFloat16(options);
    }

    /// <summary>Rows x of a head W with integers, and what must come of them.</summary>
    internal sealed class Case
    {
        public const float Untouched = 77;

        private readonly Device device;
        private readonly int rows, vocabulary;

        public Case(Device device, int rows, int vocabulary)
        {
            (this.device, this.rows, this.vocabulary) = (device, rows, vocabulary);
            var random = new Random(rows + (1000 * vocabulary));
            (X, Weight) = (new float[rows, Columns], new float[vocabulary, Columns]);
            foreach (var matrix in new[] { X, Weight })
            {
                for (int i = 0; i < matrix.Length; i++) matrix[i / Columns, i % Columns] = random.Next(-2, 3);
            }

            // Of the last tile's columns, some.
            Targets = [.. Enumerable.Range(0, rows).Select(r => r % 2 == 0 ? vocabulary - 1 - (r / 2 % Math.Min(vocabulary, 5)) : r * 29 % vocabulary)];
            Repeats = [.. Enumerable.Range(0, rows).Select(r => 1 + (r % 3))];
        }

        public float[,] X { get; }

        public float[,] Weight { get; }

        public int[] Targets { get; init; }

        public int[] Repeats { get; }

        /// <summary>Losses, and the workspace after the call: the gradients of the last chunk's logits.</summary>
        public (float[] Losses, float[] DLogits) Run(bool gradients, int chunk = 0, Tensor x = default, Tensor weight = default)
        {
            var owned = new List<DeviceBuffer>();
            Tensor New(BufferKind kind, float[,] values)
            {
                var tensor = device.AllocateTensor(kind, values.GetLength(0), values.GetLength(1), "test");
                owned.Add(tensor.Buffer);
                device.Upload([.. values.Cast<float>()], tensor);
                return tensor;
            }

            Indices Numbers(int[] values)
            {
                var indices = device.AllocateIndices(values.Length, "test");
                owned.Add(indices.Buffer);
                device.Upload(values, indices);
                return indices;
            }

            // Rows that start at multiples of 16 bytes, for the tiles that take no others.
            var workspace = new float[chunk == 0 ? rows : chunk, (vocabulary + 7) / 8 * 8];
            for (int i = 0; i < workspace.Length; i++) workspace[i / workspace.GetLength(1), i % workspace.GetLength(1)] = Untouched;
            Tensor losses = New(BufferKind.State, new float[1, rows]), logits = New(BufferKind.Compute, workspace).ColumnRange(0, vocabulary);
            var dX = gradients ? New(BufferKind.Compute, new float[rows, Columns]) : default;
            device.LinearCrossEntropy(
                losses, x.IsEmpty ? New(BufferKind.Compute, X) : x, weight.IsEmpty ? New(BufferKind.Compute, Weight) : weight, Numbers(Targets), Factor, dX, default, logits, Numbers(Repeats));
            var result = (new float[rows], new float[workspace.GetLength(0) * vocabulary]);
            device.Download(losses, result.Item1);
            device.Download(logits, result.Item2);
            foreach (var buffer in owned) buffer.Dispose();
            return result;
        }

        /// <summary>Losses of one entry each, as they should be.</summary>
        public double[] Check()
        {
            bool half = device.FormatOf(BufferKind.Compute) == NumberFormat.BFloat16;
            var (losses, dLogits) = Run(gradients: true);
            var expected = new double[rows];
            for (int r = 0; r < rows; r++)
            {
                double[] z = [.. Enumerable.Range(0, vocabulary).Select(v => Enumerable.Range(0, Columns).Sum(c => (double)X[r, c] * Weight[v, c]))];
                double largest = z.Max(), lse = largest + Math.Log(z.Sum(one => Math.Exp(one - largest)));
                expected[r] = lse - z[Targets[r]];
                Near($"loss of row {r}", losses[r], expected[r] * Repeats[r], 1e-6 * (Math.Abs(lse) + Math.Abs(z[Targets[r]])) * Repeats[r]);
                double rounding = half ? 1.0 / 256 : 1e-6, ofLse = 3e-7 * Math.Abs(lse);
                for (int v = 0; v < vocabulary; v++)
                {
                    double p = Math.Exp(z[v] - lse), value = Factor * Repeats[r] * (p - (v == Targets[r] ? 1 : 0));
                    Near($"gradient of logit {r}, {v}", dLogits[(r * vocabulary) + v], value, (rounding * Math.Abs(value)) + (2 * (ofLse + 1e-6) * p) + 1e-30);
                }
            }

            return expected;

            void Near(string what, double found, double wanted, double tolerance)
            {
                if (!(Math.Abs(found - wanted) <= tolerance)) Assert.Fail($"{rows} rows, {vocabulary} tokens: {what} is {found}, expected {wanted} within {tolerance}");
            }
        }
    }
}
