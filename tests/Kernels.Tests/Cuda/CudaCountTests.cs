using System.Text.Json.Nodes;
using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// What the kernels do on large shapes, counted by the stand-in, beside what the operation needs: products of the tensor cores that are
/// issued, bytes of global memory that lanes ask for. The stand-in counts where it is told to before it is loaded, hence a process of its own.
/// </summary>
public sealed class CudaCountTests
{
    /// <summary>Set in the process that works.</summary>
    private const string Variable = "REPNOISE_TEST_COUNTS";

    private const double Most = 1.15;
    private const string Products = "mma_instructions", Loads = "global_load_bytes", Stores = "global_store_bytes", Moved = Loads + " + " + Stores;
    private const int Product = 16 * 8 * 16; // multiplications of an mma instruction
    private const int M = 1024, N = 768, K = 512;
    private const int Rows = 128, Columns = 4096;
    private const int LogitRows = 16, HeadM = 256, HeadN = 1024, HeadK = 512;
    private const int NormRows = 4224, NormColumns = 2048; // so many rows that every team has several, and keeps its weights
    private const int HeadRows = 1024, NormHeads = 32, NormHeadSize = 128, LongColumns = 5120;
    private const int KeyColumns = 1024; // 8 heads of keys alone
    private const int ManyRows = 4096, ManyColumns = 1024, ManyNumbers = 1000;
    private const int MmdPairs = 8, MmdPositions = 256, MmdColumns = 4096;
    private const int Tokens = 1024, Heads = 2, HeadSize = 128, AttentionTile = 64;

    private static readonly int[] Vocabularies = [32000, 128256];

    private static readonly MatmulTile[] MatmulTiles = [.. MatmulTile.BFloat16, .. WarpGroupMatmul.Tiles];

    [Fact]
    public async Task Large_shapes_take_few_more_products_and_bytes_than_they_need()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null)
        {
            Work();
            return;
        }

        if (DriverLibraries.FindStandIn(out string reason) is null) Assert.Skip(reason);
        var counts = await Count();
        var surplus = new List<string>();
        foreach (var (kernel, counter, needed) in Needs())
        {
            double found = kernel.Split(" + ").Sum(one => counter.Split(" + ").Sum(name => Counted(one, name))), ratio = found / needed;
            TestContext.Current.SendDiagnosticMessage($"{kernel}: {counter} {found:N0} of {needed:N0} needed, {ratio:F3}");
            // Less than is needed would mean that the need is counted wrongly.
            if (ratio < 0.999 || ratio > Most) surplus.Add($"{kernel}: {counter} {found:N0}, needed {needed:N0}, {ratio:F3}");
        }

        Assert.True(surplus.Count == 0, string.Join('\n', surplus));

        double Counted(string kernel, string counter)
        {
            Assert.True(counts.TryGetValue(kernel, out var launch), $"{kernel} did not run; {string.Join(", ", counts.Keys)} did");
            return (double?)launch[counter] ?? 0;
        }
    }

    /// <summary>Kernel, counter (the sum of several with +), and what an operation of that shape cannot do without. After a number: that launch.</summary>
    private static IEnumerable<(string Kernel, string Counter, double Needed)> Needs()
    {
        foreach (string form in (string[])["nn", "nt", "tn"])
        {
            foreach (var tile in MatmulTiles)
            {
                // The last launch: those before belong to the self-test of warpgroups and to the cross-entropy.
                string kernel = $"matmul_{form}_{tile.Name}_bf16#last";
                // A warp of a warpgroup has 16 rows, and all columns of the tile.
                yield return (kernel, Products, (double)M * N * K / (WarpGroupMatmul.Tiles.Contains(tile) ? 16 * tile.BlockN * 16 : Product));
                // Each tile of C reads its rows of A and columns of B once.
                yield return (kernel, Loads, (double)M * N * K * sizeof(ushort) * (1.0 / tile.BlockM + 1.0 / tile.BlockN));
                yield return (kernel, Stores, (double)M * N * sizeof(ushort));
            }
        }

        foreach (var tile in MatmulTiles)
        {
            string kernel = $"matmul_logits_{tile.Name}_bf16#last";
            yield return (kernel, Products, (double)HeadM * HeadN * HeadK / (WarpGroupMatmul.Tiles.Contains(tile) ? 16 * tile.BlockN * 16 : Product));
            // What is stored beside the logits, a pair of floats for each strip, is the price of not reading them again: it counts as surplus.
            yield return (kernel, Loads, (double)HeadM * HeadN * HeadK * sizeof(ushort) * (1.0 / tile.BlockM + 1.0 / tile.BlockN));
            yield return (kernel, Stores, (double)HeadM * HeadN * sizeof(ushort));
        }

        // A query's keys up to its own position, each product: forward q k^T and p v; both kernels of the backward make q k^T and dO v^T, then
        // one dQ, the other dK and dV.
        double product = (double)Heads * HeadSize * Tokens * (Tokens + 1) / 2 / Product;
        yield return ("attention_forward_rows64_head128_bf16", Products, 2 * product);
        yield return ("attention_backward_queries_head128_bf16", Products, 3 * product);
        yield return ("attention_backward_keys_head128_bf16", Products, 4 * product);
        // Rows of one operand of all heads. A tile of queries reads each key up to its last query's own; a tile of keys each query from its first on.
        double rows = (double)Heads * Tokens, row = HeadSize * sizeof(ushort), seen = rows * (1 + (Tokens / (double)AttentionTile)) / 2;
        yield return ("attention_forward_rows64_head128_bf16", Loads, (rows + (2 * seen)) * row);
        yield return ("attention_forward_rows64_head128_bf16", Stores, rows * (row + sizeof(float)));
        yield return ("attention_backward_delta_bf16", Loads, 2 * rows * row);
        yield return ("attention_backward_delta_bf16", Stores, rows * sizeof(float));
        yield return ("attention_backward_queries_head128_bf16", Loads, ((2 * rows) + (2 * seen)) * row);
        yield return ("attention_backward_queries_head128_bf16", Stores, rows * row);
        yield return ("attention_backward_keys_head128_bf16", Loads, ((2 * rows) + (2 * seen)) * row);
        yield return ("attention_backward_keys_head128_bf16", Stores, 2 * rows * row);
        for (int i = 0; i < Vocabularies.Length; i++)
        {
            string kernel = i == 0 ? "linear_cross_entropy_softmax_bf16" : $"linear_cross_entropy_softmax_bf16#{i + 1}";
            double logits = (double)LogitRows * Vocabularies[i] * sizeof(ushort);
            yield return (kernel, Loads, logits);
            yield return (kernel, Stores, logits);
        }

        // Of a row that blocks share, each of which reads the sums of all strips.
        yield return ($"linear_cross_entropy_softmax_bf16#{Vocabularies.Length + 1}", Moved, 2.0 * Vocabularies[^1] * sizeof(ushort));
        double elements = (double)Rows * Columns, half = elements * sizeof(ushort), single = elements * sizeof(float);
        yield return ("swiglu_forward_bf16", Loads, 2 * half);
        yield return ("swiglu_forward_bf16", Stores, half);
        yield return ("swiglu_backward_bf16", Loads, 3 * half);
        yield return ("swiglu_backward_bf16", Stores, 2 * half);
        double matrix = (double)NormRows * NormColumns * sizeof(ushort), weight = NormColumns * sizeof(ushort), rstd = NormRows * sizeof(float);
        yield return ("rms_norm_forward_block_bf16", Loads, matrix + weight);
        yield return ("rms_norm_forward_block_bf16", Stores, matrix + rstd);
        yield return ("add_rms_norm_forward_block_bf16", Loads, 2 * matrix + weight);
        yield return ("add_rms_norm_forward_block_bf16", Stores, 2 * matrix + rstd);
        // All of a backward: dY and x read, dX written, and read where it accumulates; the weight's gradient read and written in float32.
        yield return ("rms_norm_backward_block_bf16 + column_sums_finish_f32", Moved, 4 * matrix + weight + rstd + 4 * weight);
        yield return ("rms_norm_backward_block_bf16#2 + column_sums_finish_f32#2", Moved, 3 * matrix + weight + rstd + 4 * weight);
        double heads = (double)HeadRows * NormHeads * NormHeadSize * sizeof(ushort);
        yield return ("rms_norm_backward_warp_bf16 + column_sums_finish_f32#3", Moved, 3 * heads + (HeadRows * NormHeads * sizeof(float)));
        double longMatrix = (double)NormRows * LongColumns * sizeof(ushort);
        yield return ("rms_norm_forward_long_bf16", Loads, longMatrix);
        yield return ("add_rms_norm_forward_long_bf16", Loads, 2 * longMatrix);
        yield return ("rms_norm_backward_long_bf16 + column_sums_finish_f32#4", Moved, 3 * longMatrix);
        yield return ("adamw_f32_bf16", Loads, 4 * single);
        yield return ("adamw_f32_bf16", Stores, 3 * single + half);
        yield return ("gather_rows_bf16_to_bf16", Moved, 2 * half);
        yield return ("scatter_add_rows_bf16_to_f32", Moved, half + (2 * single));
        // A row that occurs again is read and written once; of all rows of the second launch none does.
        double many = (double)ManyRows * ManyColumns;
        yield return ("scatter_add_rows_bf16_to_f32#2", Moved, many * (sizeof(ushort) + (2 * sizeof(float))));
        yield return ("scatter_add_rows_bf16_to_f32#3", Moved, (many * sizeof(ushort)) + (2.0 * ManyNumbers * ManyColumns * sizeof(float)));
        yield return ("gather_rows_bf16_to_bf16#2", Moved, 2 * many * sizeof(ushort));
        yield return ("sum_partial_f32", Loads, single);
        // The angles of a row's position are cosines and sines in float32 for half a head, the same for all heads.
        double angles = (double)Rows * HeadSize * sizeof(float), keys = (double)Rows * KeyColumns * sizeof(ushort);
        yield return ("rotary_bf16", Loads, half + angles);
        yield return ("rotary_bf16", Stores, half);
        yield return ("rotary_bf16#2", Loads, keys + angles);
        yield return ("rotary_bf16#2", Stores, keys);
        // All of a forward, with the sums that blocks hand on. Of two tiles of pairs, each block of the distances between them and of the gradients reads both.
        double mmd = (double)MmdPairs * MmdPositions * MmdColumns * sizeof(ushort);
        yield return ("mmd_gaussian_distances_within_bf16 + mmd_gaussian_finish", Moved, mmd);
        yield return ("mmd_gaussian_backward_bf16", Loads, mmd);
        yield return ("mmd_gaussian_backward_bf16", Stores, mmd);
        yield return ("mmd_gaussian_distances_within_bf16#2 + mmd_gaussian_distances_across_bf16 + mmd_gaussian_finish#2", Moved, 2 * mmd);
        yield return ("mmd_gaussian_backward_bf16#2", Loads, 2 * mmd);
        yield return ("mmd_gaussian_backward_bf16#2", Stores, mmd);
    }

    private static void Work()
    {
        using (var device = Forced(MatmulTile.BFloat16[0]))
        {
            foreach (int vocabulary in Vocabularies) CrossEntropy(device, LogitRows, vocabulary, 8);
            CrossEntropy(device, 1, Vocabularies[^1], 8);
        }

        foreach (var tile in MatmulTiles)
        {
            using var device = Forced(tile);
            CrossEntropy(device, HeadM, HeadN, HeadK);
            foreach (var form in Enum.GetValues<MatmulForm>())
            {
                var (a, b) = (New(device, BufferKind.Compute, M, K, form == MatmulForm.TN), New(device, BufferKind.Compute, K, N, form == MatmulForm.NT));
                device.Matmul(New(device, BufferKind.Compute, M, N), a, b, form);
            }
        }

        using var cuda = Devices.Create("cuda:sim");
        Tensor Half(int rows = Rows, int columns = Columns) => New(cuda, BufferKind.Compute, rows, columns);
        Tensor Single() => New(cuda, BufferKind.State, Rows, Columns);
        Attention(cuda);
        Norm(cuda);
        Tensor gate = Half(), up = Half(), output = Half();
        cuda.SwigluForward(output, gate, up);
        cuda.SwigluBackward(Half(), Half(), output, gate, up);
        cuda.AdamW(Single(), Half(), Single(), Single(), Single(), new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0, true, 1), New(cuda, BufferKind.Scalar, 1, 1));
        cuda.AddSquaredNorm(New(cuda, BufferKind.Scalar, 1, 1), Single());
        Selections(cuda, output);
        Mmd(cuda, MmdPairs, MmdPositions);
        Mmd(cuda, 2 * MmdPairs, MmdPositions / 2);
        cuda.Synchronize();
    }

    /// <summary>Rows by number, and turned by their positions.</summary>
    private static void Selections(Device device, Tensor rows)
    {
        var numbers = Select(rows, Rows);
        var many = New(device, BufferKind.Compute, ManyRows, ManyColumns);
        Select(many, ManyRows, New(device, BufferKind.Scalar, 1, 1));
        Select(many, ManyNumbers);
        Tensor angles = New(device, BufferKind.State, Rows, HeadSize / 2);
        foreach (var x in (Tensor[])[rows, rows.ColumnRange(0, KeyColumns)]) device.Rotary(x, angles, angles, numbers, inverse: false);

        // By so many different numbers.
        Indices Select(Tensor x, int different, Tensor factor = default)
        {
            var numbers = device.AllocateIndices(x.Rows, "test");
            device.Upload([.. Enumerable.Range(0, x.Rows).Select(r => r * 7 % different)], numbers);
            device.GatherRows(New(device, BufferKind.Compute, x.Rows, x.Columns), x, numbers);
            device.ScatterAddRows(New(device, BufferKind.State, x.Rows, x.Columns), x, numbers, 1, factor);
            return numbers;
        }
    }

    private static void Mmd(Device device, int pairs, int positions)
    {
        int count = pairs * positions;
        using var plan = new MmdPlan(device, pairs, count);
        int[] entries = [.. Enumerable.Range(0, count)];
        plan.Load([.. entries.Select(e => e % pairs)], [.. entries.Select(e => e / pairs)], [.. Enumerable.Range(0, pairs)]);
        Tensor x = New(device, BufferKind.Compute, count, MmdColumns), coefficients = New(device, BufferKind.Scalar, pairs, 2 * pairs);
        device.MmdGaussianForward(New(device, BufferKind.Scalar, 1, 1), coefficients, x, plan, NoiseSource.Counter(1, 2, 3));
        device.MmdGaussianBackward(New(device, BufferKind.Compute, count, MmdColumns), coefficients, x, plan, NoiseSource.Counter(1, 2, 3), 1);
        device.Synchronize();
    }

    private static Device Forced(MatmulTile tile) =>
        Devices.Create("cuda:sim", new DeviceOptions { Kernels = new Dictionary<string, string> { ["matmul"] = tile.Name } });

    private static void CrossEntropy(Device device, int rows, int vocabulary, int columns)
    {
        Tensor Half(int m, int n) => New(device, BufferKind.Compute, m, n);
        var targets = device.AllocateIndices(rows, "test");
        device.Upload(new int[rows], targets);
        device.LinearCrossEntropy(
            New(device, BufferKind.State, 1, rows), Half(rows, columns), Half(vocabulary, columns), targets, 1, Half(rows, columns), default, Half(rows, vocabulary));
    }

    private static void Norm(Device device)
    {
        Tensor Matrix() => New(device, BufferKind.Compute, NormRows, NormColumns);
        Tensor x = Matrix(), output = Matrix(), weight = New(device, BufferKind.Compute, 1, NormColumns), rstd = New(device, BufferKind.State, NormRows, 1);
        device.RmsNormForward(output, rstd, x, weight, 1e-5);
        device.AddRmsNormForward(output, Matrix(), rstd, x, Matrix(), weight, 1e-5);
        foreach (bool accumulate in (bool[])[true, false])
            device.RmsNormBackward(Matrix(), New(device, BufferKind.State, 1, NormColumns), output, x, weight, rstd, accumulate);
        Tensor Heads() => New(device, BufferKind.Compute, HeadRows, NormHeads * NormHeadSize);
        weight = New(device, BufferKind.Compute, 1, NormHeadSize);
        device.RmsNormBackward(Heads(), New(device, BufferKind.State, 1, NormHeadSize), Heads(), Heads(), weight, New(device, BufferKind.State, HeadRows, NormHeads), accumulate: false);
        Tensor Long() => New(device, BufferKind.Compute, NormRows, LongColumns);
        weight = New(device, BufferKind.Compute, 1, LongColumns);
        device.RmsNormForward(Long(), rstd, Long(), weight, 1e-5);
        device.AddRmsNormForward(Long(), Long(), rstd, Long(), Long(), weight, 1e-5);
        device.RmsNormBackward(Long(), New(device, BufferKind.State, 1, LongColumns), Long(), Long(), weight, rstd, accumulate: false);
    }

    private static void Attention(Device device)
    {
        using var plan = new AttentionPlan(device, 1, Tokens);
        plan.Load([new AttentionSegment { QueryRow = 0, KeyRow = 0, QueryCount = Tokens, KeyCount = Tokens }], [.. Enumerable.Range(0, Tokens)]);
        Tensor Heads128() => New(device, BufferKind.Compute, Tokens, Heads * HeadSize);
        Tensor output = Heads128(), lse = New(device, BufferKind.State, Tokens, Heads), q = Heads128(), k = Heads128(), v = Heads128();
        var shape = new AttentionShape(Heads, Heads, HeadSize, null);
        device.AttentionForward(output, lse, q, k, v, plan, shape);
        device.AttentionBackward(Heads128(), Heads128(), Heads128(), Heads128(), output, lse, q, k, v, plan, shape);
        device.Synchronize();
    }

    /// <summary>Zeros; what is computed does not change what is counted.</summary>
    private static Tensor New(Device device, BufferKind kind, int rows, int columns, bool isTurned = false) =>
        device.AllocateTensor(kind, isTurned ? columns : rows, isTurned ? rows : columns, "test");

    /// <summary>The counters of each launch of a kernel in a process that works, by its name; from the second on with its number, and the last as such.</summary>
    private static async Task<Dictionary<string, JsonObject>> Count()
    {
        string file = Path.GetTempFileName();
        try
        {
            await ChildProcess.Run(
                ["-method", $"*.{nameof(CudaCountTests)}.{nameof(Large_shapes_take_few_more_products_and_bytes_than_they_need)}"],
                (Variable, "1"), ("PTXSIM_COUNTERS", file), ("PTXSIM_CHECKS", "0"), ("PTXSIM_SM", "90")); // checks count nothing
            return File.ReadLines(file).Select(line => JsonNode.Parse(line)!.AsObject()).GroupBy(launch => (string)launch["kernel"]!)
                .SelectMany(group => group.Select((launch, i) => (Name: i == 0 ? group.Key : $"{group.Key}#{i + 1}", Launch: launch)).Append((Name: $"{group.Key}#last", Launch: group.Last())))
                .ToDictionary(launch => launch.Name, launch => launch.Launch);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
