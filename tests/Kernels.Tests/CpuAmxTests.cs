using System.Diagnostics;
using System.Runtime.CompilerServices;
using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// Products in the processor's tile registers are float32 products: three bfloat16 parts hold a number to the bit, sums are no less exact than chains of
/// multiply-adds, and infinities behave. Skipped by name where the registers are not to be had. <see cref="CpuMatmulEdgeTests"/> and the conformance suite, which
/// takes the fastest variant, have the rest.
/// </summary>
public sealed unsafe class CpuAmxTests
{
    /// <summary>A times the identity, in all forms and with numbers of all sizes: an element that lost a bit would show.</summary>
    [Theory]
    [InlineData(MatmulForm.NN)]
    [InlineData(MatmulForm.NT)]
    [InlineData(MatmulForm.TN)]
    public void Parts_give_numbers_back_to_the_bit(MatmulForm form)
    {
        const int M = 45, K = 77;
        var random = new Random(11);
        float[] a = [.. Enumerable.Range(0, M * K).Select(_ => Any(random))], identity = new float[K * K], c = new float[M * K];
        for (int i = 0; i < K; i++) identity[i * K + i] = 1;
        Run("amx", form, M, K, K, a, identity, c);
        for (int row = 0; row < M; row++)
        {
            for (int column = 0; column < K; column++) Assert.Equal(form == MatmulForm.TN ? a[column * M + row] : a[row * K + column], c[row * K + column]);
        }
    }

    [Theory]
    [InlineData(64, 0)]
    [InlineData(512, 0)]
    [InlineData(1400, 0)]
    [InlineData(512, 8)] // sizes 2^-8 to 2^8
    [InlineData(512, 1)] // no sum cancels: all positive
    public void Sums_are_no_less_exact_than_chains_of_multiply_adds(int k, int spread)
    {
        const int M = 48, N = 70;
        var random = new Random(k + spread);
        float[] a = [.. Enumerable.Range(0, M * k).Select(_ => Value())], b = [.. Enumerable.Range(0, N * k).Select(_ => Value())];
        double tiles = Error("amx"), chains = Error("avx512");
        Assert.True(tiles <= chains, $"root mean square error {tiles:g3} of the largest possible sum, chains {chains:g3}");

        float Value() => spread switch
        {
            1 => random.NextSingle(),
            _ => (random.NextSingle() - 0.5f) * MathF.ScaleB(1, spread == 0 ? 0 : random.Next(-spread, spread + 1)),
        };

        double Error(string variant)
        {
            var c = new float[M * N];
            Run(variant, MatmulForm.NT, M, N, k, a, b, c);
            double sum = 0;
            for (int row = 0; row < M; row++)
            {
                for (int column = 0; column < N; column++)
                {
                    double exact = 0, size = 0;
                    for (int i = 0; i < k; i++)
                    {
                        double product = (double)a[row * k + i] * b[column * k + i];
                        exact += product;
                        size += Math.Abs(product);
                    }

                    sum += Math.Pow((c[row * N + column] - exact) / size, 2);
                }
            }

            return Math.Sqrt(sum / (M * N));
        }
    }

    /// <summary>The parts of infinity are infinity and NaN, and the largest numbers round to an infinite part.</summary>
    [Theory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.MaxValue)]
    [InlineData(float.NaN)]
    public void What_is_not_finite_is_what_multiply_adds_make_of_it(float value)
    {
        const int M = 40, N = 50, K = 36;
        var random = new Random(5);
        float[] a = [.. Enumerable.Range(0, M * K).Select(_ => random.NextSingle() - 0.5f)], b = [.. Enumerable.Range(0, N * K).Select(_ => random.NextSingle() - 0.5f)];
        a[37 * K + 35] = value;
        b[49 * K + 3] = value;
        b[2 * K + 35] = 0; // infinity times zero
        float[] tiles = new float[M * N], chains = new float[M * N];
        Run("amx", MatmulForm.NT, M, N, K, a, b, tiles);
        Run("avx512", MatmulForm.NT, M, N, K, a, b, chains);
        for (int i = 0; i < M * N; i++)
        {
            if (float.IsFinite(chains[i])) Assert.Equal(chains[i], tiles[i], MathF.Abs(chains[i]) * 1e-4f + 1e-5f);
            else Assert.Equal(chains[i], tiles[i]);
        }
    }

    /// <summary>The bytes that run are those of the source beside them.</summary>
    [Fact]
    public void Machine_code_is_that_of_its_source()
    {
        string folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../src/Kernels/Cpu"));
        Assert.SkipUnless(Directory.Exists(folder), "the sources are not where they were built");
        var start = new ProcessStartInfo("python3") { WorkingDirectory = folder, RedirectStandardError = true, ArgumentList = { "amx-tile.py", "--check" } };
        start.Environment["LC_ALL"] = "C";
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip("no Python here");
            throw;
        }

        using (process)
        {
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.SkipWhen(errors.Contains("FileNotFoundError", StringComparison.Ordinal), "no GNU binutils here");
            Assert.True(process.ExitCode == 0, errors);
        }
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    /// <summary>Any number whose parts are all normal.</summary>
    private static float Any(Random random) => MathF.ScaleB(1 + random.NextSingle(), random.Next(-100, 126)) * (random.Next(2) == 0 ? 1 : -1);

    private static void Run(string variant, MatmulForm form, int m, int n, int k, float[] a, float[] b, float[] c)
    {
        using var context = new CpuContext(2, _ => { });
        Matmul matmul;
        try
        {
            matmul = new CpuKernels(context, new Dictionary<string, string> { ["matmul"] = variant }).Matmul;
        }
        catch (DeviceException e) when (e.Message.Contains("cannot run on this machine", StringComparison.Ordinal))
        {
            Assert.Skip(e.Message);
            throw;
        }

        fixed (float* pa = a, pb = b, pc = c)
        {
            var viewA = form == MatmulForm.TN ? new View(pa, k, m, m) : new View(pa, m, k, k);
            var viewB = form == MatmulForm.NT ? new View(pb, n, k, k) : new View(pb, k, n, n);
            matmul.Run(new View(pc, m, n, n), viewA, viewB, form, accumulate: false, bias: default);
        }
    }
}
