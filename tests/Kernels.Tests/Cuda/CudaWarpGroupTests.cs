using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// The matrix products of sm_90a, which the stand-in executes where it reports compute capability 9.0. It does so from the moment it is loaded, hence
/// a process of its own, in which the conformance of matmul runs too.
/// </summary>
public sealed class CudaWarpGroupTests
{
    /// <summary>Set in the process that works.</summary>
    public const string Variable = "REPNOISE_TEST_WARPGROUPS";

    private const int BlockM = 128, BlockK = 64;

    /// <summary>Every tile in every form.</summary>
    public static TheoryData<string, MatmulForm> Variants
    {
        get
        {
            var data = new TheoryData<string, MatmulForm>();
            foreach (var tile in WarpGroupMatmul.Tiles)
            {
                foreach (var form in Enum.GetValues<MatmulForm>()) data.Add(tile.Name, form);
            }

            return data;
        }
    }

    public static TheoryData<string> Mutants => new(CudaMutantCases.All.Keys.Where(name => name.Contains("warpgroup", StringComparison.Ordinal)));

    [Fact]
    public async Task Products_of_warpgroups_hold_on_a_stand_in_of_compute_capability_9()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null) Assert.Skip("this is the process that works");
        if (DriverLibraries.FindStandIn(out string reason) is null) Assert.Skip(reason);
        string output = await ChildProcess.Run(
            ["-class", $"*.{nameof(CudaWarpGroupTests)}", "-class", $"*.{nameof(CudaBFloat16Matmul)}", "-parallelMode", "none"], (Variable, "1"), ("PTXSIM_SM", "90"));
        Assert.Contains("Failed: 0", output, StringComparison.Ordinal);
        TestContext.Current.SendDiagnosticMessage(output[output.LastIndexOf("Total:", StringComparison.Ordinal)..]);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Tiles_are_exact_at_their_edges(string variant, MatmulForm form)
    {
        using var device = Create(variant);
        int blockN = WarpGroupMatmul.Tiles.First(tile => tile.Name == variant).BlockN;
        foreach (int m in new[] { 8, BlockM, BlockM + 8 }) CudaMatmulTests.Check(device, form, m, blockN - 8, (2 * BlockK) + 8);
        foreach (int n in new[] { blockN, blockN + 8 }) CudaMatmulTests.Check(device, form, BlockM - 8, n, BlockK);
        // A ring of stages that is not filled, just filled, and used again.
        foreach (int stages in new[] { 1, 4, 6, 13 }) CudaMatmulTests.Check(device, form, 16, 24, stages * BlockK);
        // More tiles than the four multiprocessors of the stand-in: each block goes on to a second, with the ring where the first left it.
        CudaMatmulTests.Check(device, form, 8, 6 * blockN, (3 * BlockK) + 8);
        // K in parts.
        CudaMatmulTests.Check(device, form, 16, 24, 2048);
        CudaMatmulTests.Check(device, form, 8, 40, 1000);
    }

    /// <summary>The way out, which sums to state does not take: bias, a product added to bfloat16, against another tile.</summary>
    [Theory]
    [MemberData(nameof(Variants))]
    public void Products_with_a_bias_have_the_bits_of_other_tiles(string variant, MatmulForm form)
    {
        var found = ((string[])[variant, "square"]).Select(name =>
        {
            const int M = 136, N = 264, K = 72;
            using var device = Create(name);
            Tensor New(int rows, int columns, int seed)
            {
                var random = new Random(seed);
                var tensor = device.AllocateTensor(BufferKind.Compute, rows, columns, "test");
                device.Upload([.. Enumerable.Range(0, rows * columns).Select(_ => (float)random.Next(-8, 9))], tensor);
                return tensor;
            }

            var c = New(M, N, 1);
            var a = form == MatmulForm.TN ? New(K, M, 2) : New(M, K, 2);
            var b = form == MatmulForm.NT ? New(N, K, 3) : New(K, N, 3);
            device.Matmul(c, a, b, form, accumulate: true, New(1, N, 4));
            var values = new float[M * N];
            device.Download(c, values);
            return values;
        }).ToArray();
        Assert.Equal(found[1], found[0]);
    }

    [Theory]
    [InlineData("warpgroup_wide")]
    [InlineData("warpgroup_square")]
    public void Logits_and_the_sums_of_their_rows_hold(string variant)
    {
        using var device = Create(variant);
        CudaLogitsTests.CheckEdges(device, WarpGroupMatmul.Tiles.First(tile => tile.Name == variant));
        CudaLogitsTests.CheckBits(device);
        CudaLogitsTests.CheckLargest(device);
        CudaLogitsTests.CheckBeyond(device);
    }

    [Theory]
    [MemberData(nameof(Mutants))]
    public void Every_mutant_is_caught(string name)
    {
        SkipElsewhere();
        CudaMutantTests.Check(name);
    }

    private static void SkipElsewhere()
    {
        if (Environment.GetEnvironmentVariable(Variable) is null) Assert.Skip("runs in a process of its own, on a stand-in of compute capability 9.0");
    }

    /// <summary>On the GPU where there is one that has them; else in the process that works.</summary>
    private static Device Create(string variant)
    {
        bool isReal = Devices.List().First(device => device.Name == "cuda") is { Refusal: null } cuda
            && cuda.Kernels.First(family => family.Name == "matmul").Variants.Any(known => known.Name == variant && known.Refusal is null);
        if (!isReal) SkipElsewhere();
        return Devices.Create(isReal ? "cuda" : "cuda:sim", new DeviceOptions { Kernels = new Dictionary<string, string> { ["matmul"] = variant } });
    }
}
