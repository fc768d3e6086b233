using RepNoise.Kernels.Cpu;

namespace RepNoise.Kernels.Tests;

/// <summary>
/// The CPU's product around the edges of its tiles and blocks, in every register width that runs here: sizes on both sides of
/// a tile's rows and columns, of a register and of a block of K, rows longer than the product reads or writes, sums, bias, and
/// teams of one to three. Values are small integers, whose sums float32 holds exactly: a plain loop must give the same bits.
/// </summary>
public sealed unsafe class CpuMatmulEdgeTests
{
    private const int Gap = 5;
    private const float Guard = -12345f;

    /// <summary>Register width, or 8192 for tile registers, and form.</summary>
    public static TheoryData<int, MatmulForm> Cases
    {
        get
        {
            var data = new TheoryData<int, MatmulForm>();
            foreach (int bits in (int[])[128, 256, 512, 8192])
            {
                foreach (var form in Enum.GetValues<MatmulForm>()) data.Add(bits, form);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_height_and_width_of_a_tile_is_exact(int bits, MatmulForm form)
    {
        using var context = new CpuContext(1, _ => { });
        var matmul = Create(bits, context);
        int[] depths = [1, 3, 4, 15, 16, 17, 33];
        for (int m = 1; m <= 30; m++)
        {
            for (int n = 1; n <= 66; n += n is > 2 and < 28 ? 5 : 1) Check(matmul, form, m, n, depths[(m + n) % depths.Length], (m + n) % 4);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Both_sides_of_a_block_of_k_are_exact(int bits, MatmulForm form)
    {
        using var context = new CpuContext(2, _ => { });
        var matmul = Create(bits, context);
        foreach (int k in (int[])[511, 512, 513, 1023, 1024, 1025, 1040])
        {
            for (int options = 0; options < 4; options++) Check(matmul, form, 15, 35, k, options);
        }
    }

    /// <summary>Row blocks of a packed A, columns beyond a packed B, and a B that streams past one packed A.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_team_writes_the_same_exact_bits(int bits, MatmulForm form)
    {
        (int M, int N, int K)[] sizes = [(300, 70, 513), (9, 4130, 17), (33, 1600, 70), (5, 530, 1030)];
        for (int threads = 1; threads <= 3; threads++)
        {
            using var context = new CpuContext(threads, _ => { });
            var matmul = Create(bits, context);
            foreach (var (m, n, k) in sizes)
            {
                for (int options = 0; options < 4; options += 3) Check(matmul, form, m, n, k, options);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Teams_agree_on_inexact_sums(int bits, MatmulForm form)
    {
        const int M = 131, N = 1090, K = 700;
        var random = new Random(7);
        float[] a = Values(M * K, () => random.NextSingle() - 0.5f), b = Values(N * K, () => random.NextSingle() - 0.5f);
        float[]? first = null;
        foreach (int threads in (int[])[1, 2, 3])
        {
            using var context = new CpuContext(threads, _ => { });
            var c = new float[M * N];
            fixed (float* pa = a, pb = b, pc = c)
            {
                var (viewA, viewB) = Operands(pa, pb, form, M, N, K, 0);
                Create(bits, context).Run(new View(pc, M, N, N), viewA, viewB, form, accumulate: false, bias: default);
            }

            first ??= c;
            Assert.Equal(first, c);
        }
    }

    private static void Check(Matmul matmul, MatmulForm form, int m, int n, int k, int options)
    {
        bool accumulate = (options & 1) != 0, hasBias = (options & 2) != 0;
        var random = new Random(m * 1000003 + n * 1009 + k);
        int aRows = form == MatmulForm.TN ? k : m, bRows = form == MatmulForm.NT ? n : k;
        int aColumns = form == MatmulForm.TN ? m : k, bColumns = form == MatmulForm.NT ? k : n;
        float[] a = Values(aRows * (aColumns + Gap), Integer), b = Values(bRows * (bColumns + Gap), Integer), bias = Values(n, Integer);
        float[] c = Values(m * (n + Gap), Integer);
        for (int row = 0; row < m; row++) Array.Fill(c, Guard, row * (n + Gap) + n, Gap);
        var expected = Expected(form, m, n, k, a, b, c, accumulate, hasBias ? bias : null);
        fixed (float* pa = a, pb = b, pc = c, pBias = bias)
        {
            var (viewA, viewB) = Operands(pa, pb, form, m, n, k, Gap);
            matmul.Run(new View(pc, m, n, n + Gap), viewA, viewB, form, accumulate, hasBias ? new View(pBias, 1, n, n) : default);
        }

        int wrong = Enumerable.Range(0, c.Length).FirstOrDefault(i => c[i] != expected[i], -1);
        Assert.True(wrong < 0, wrong < 0 ? null :
            $"{form} {m} x {n} x {k}, accumulate {accumulate}, bias {hasBias}: element ({wrong / (n + Gap)}, {wrong % (n + Gap)}) is {c[wrong]}, not {expected[wrong]}");

        float Integer() => random.Next(-4, 5);
    }

    /// <summary>The product by plain loops; the gaps between C's rows as they are.</summary>
    private static float[] Expected(
        MatmulForm form, int m, int n, int k, float[] a, float[] b, float[] c, bool accumulate, float[]? bias)
    {
        var expected = (float[])c.Clone();
        var (rowA, stepA) = form == MatmulForm.TN ? (1, m + Gap) : (k + Gap, 1);
        var (columnB, stepB) = form == MatmulForm.NT ? (k + Gap, 1) : (1, n + Gap);
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                float sum = (accumulate ? c[i * (n + Gap) + j] : 0) + (bias is null ? 0 : bias[j]);
                for (int l = 0; l < k; l++) sum += a[i * rowA + l * stepA] * b[j * columnB + l * stepB];
                expected[i * (n + Gap) + j] = sum;
            }
        }

        return expected;
    }

    private static (View A, View B) Operands(float* a, float* b, MatmulForm form, int m, int n, int k, int gap) => (
        form == MatmulForm.TN ? new View(a, k, m, m + gap) : new View(a, m, k, k + gap),
        form == MatmulForm.NT ? new View(b, n, k, k + gap) : new View(b, k, n, n + gap));

    private static float[] Values(int count, Func<float> next) => [.. Enumerable.Range(0, count).Select(_ => next())];

    private static Matmul Create(int bits, CpuContext context)
    {
        string variant = bits switch { 8192 => "amx", 512 => "avx512", 256 => "avx2", _ => "vector128" };
        try
        {
            return new CpuKernels(context, new Dictionary<string, string> { ["matmul"] = variant }).Matmul;
        }
        catch (DeviceException e) when (bits > 128 && e.Message.Contains("cannot run on this machine", StringComparison.Ordinal))
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
