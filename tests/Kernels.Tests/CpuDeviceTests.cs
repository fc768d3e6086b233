using RepNoise.Kernels.Cpu;
using RepNoise.Kernels.Tests.Support;

namespace RepNoise.Kernels.Tests;

/// <summary>What is particular to the CPU device: vector arithmetic, the thread team, the choice of kernels, no allocation.</summary>
public sealed unsafe class CpuDeviceTests
{
    public static TheoryData<int> Widths => [128, 256, 512];

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_is_within_two_ulp_over_all_exponents(int bits) => OnWidth(bits, new ExpCheck());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Exp_keeps_nan_and_saturates(int bits) => OnWidth(bits, new ExpEdges());

    [Theory]
    [MemberData(nameof(Widths))]
    public void Vector_noise_has_the_bits_of_the_scalar_definition(int bits) => OnWidth(bits, new NoiseCheck());

    /// <summary>More groups than there may be runs of 16: as heads are, in a norm of queries.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Weight_gradient_of_a_norm_of_many_groups(int threads)
    {
        const int Rows = 2101, Groups = 8, Columns = 5;
        double[] x = Lab.Gaussians(Rows * Groups * Columns, 1), dOutput = Lab.Gaussians(Rows * Groups * Columns, 2);
        using var reference = Devices.Create("reference:float64");
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = threads });
        double[] expected = Gradient(reference), found = Gradient(device);
        for (int c = 0; c < Columns; c++) Assert.Equal(expected[c], found[c], 1e-6 * Math.Sqrt(x.Length));

        double[] Gradient(Device on)
        {
            Tensor New(BufferKind kind, int rows, int columns, params ReadOnlySpan<double> values)
            {
                var tensor = on.AllocateTensor(kind, rows, columns, "test");
                if (values.Length > 0) on.Upload(values, tensor);
                return tensor;
            }

            Tensor from = New(BufferKind.Compute, Rows, Groups * Columns, x), d = New(BufferKind.Compute, Rows, Groups * Columns, dOutput);
            Tensor weight = New(BufferKind.Compute, 1, Columns, 1, 2, 3, 4, 5), rstd = New(BufferKind.State, Rows, Groups);
            var dWeight = New(BufferKind.State, 1, Columns);
            on.RmsNormForward(New(BufferKind.Compute, Rows, Groups * Columns), rstd, from, weight, 1e-5);
            on.RmsNormBackward(d, dWeight, d, from, weight, rstd, accumulate: false);
            var values = new double[Columns];
            on.Download(dWeight, values);
            return values;
        }
    }

    [Fact]
    public void Devices_are_created_by_name_and_mistakes_list_what_there_is()
    {
        foreach (var info in Devices.List().Where(info => info.Refusal is null))
        {
            using var device = Devices.Create(info.Name);
            Assert.NotEmpty(device.Description);
        }

        Assert.Contains("reference:float64", Message("gpu"), StringComparison.Ordinal);
        Assert.Contains("linear_cross_entropy", Message("cpu", ("matmult", "avx2")), StringComparison.Ordinal);
        Assert.Contains("vector128", Message("cpu", ("matmul", "fast")), StringComparison.Ordinal);
        Assert.Contains("no kernel variants", Message("reference", ("matmul", "avx2")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_listed_variants_are_those_that_can_be_forced_and_the_first_is_chosen()
    {
        var families = Devices.List().Single(info => info.Name == "cpu").Kernels;
        Assert.Equal(CpuKernels.Families, families.Select(family => family.Name));
        using var automatic = Devices.Create("cpu");
        foreach (var family in families)
        {
            Assert.Equal(family.Automatic, automatic.Kernels[family.Name]);
            foreach (var variant in family.Variants)
            {
                var options = new DeviceOptions { Threads = 1, Kernels = new Dictionary<string, string> { [family.Name] = variant.Name } };
                if (variant.Refusal is not null)
                {
                    Assert.Throws<DeviceException>(() => Devices.Create("cpu", options));
                    continue;
                }

                using var forced = Devices.Create("cpu", options);
                Assert.Equal(variant.Name, forced.Kernels[family.Name]);
            }
        }
    }

    [Fact]
    public void Families_govern_operations_of_the_contract_each_once()
    {
        var operations = Devices.List().Single(info => info.Name == "cpu").Kernels.SelectMany(family => family.Operations).ToList();
        Assert.Equal(operations.Distinct(), operations);
        Assert.All(operations, name => Assert.NotEmpty(typeof(Device).GetMember(name)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void A_team_runs_every_part_once_and_carries_exceptions(int size)
    {
        using var team = new ThreadTeam(size);
        int* counts = stackalloc int[100];
        for (int round = 0; round < 2000; round++)
        {
            int parts = round % 101;
            new Span<int>(counts, 100).Clear();
            team.Run(new CountWork { Counts = counts, FailAt = -1 }, parts);
            for (int p = 0; p < 100; p++) Assert.Equal(p < parts ? 1 : 0, counts[p]);
        }

        Assert.Throws<InvalidOperationException>(() => Fail(team));
        new Span<int>(counts, 100).Clear();
        team.Run(new CountWork { Counts = counts, FailAt = -1 }, 100);
        Assert.Equal(100, new Span<int>(counts, 100).ToArray().Sum());
    }

    [Fact]
    public void Teams_end_their_threads()
    {
        int before = System.Diagnostics.Process.GetCurrentProcess().Threads.Count;
        for (int i = 0; i < 200; i++)
        {
            using var team = new ThreadTeam(4);
            int count = 0;
            team.Run(new CountWork { Counts = &count, FailAt = -1 }, 1);
        }

        Assert.InRange(System.Diagnostics.Process.GetCurrentProcess().Threads.Count, 0, before + 100);
    }

    private static void Fail(ThreadTeam team)
    {
        int* counts = stackalloc int[100];
        team.Run(new CountWork { Counts = counts, FailAt = 42 }, 100);
    }

    private static string Message(string name, params (string Family, string Variant)[] kernels) => Assert.Throws<DeviceException>(
        () => Devices.Create(name, new DeviceOptions { Kernels = kernels.ToDictionary(k => k.Family, k => k.Variant) })).Message;

    private static void OnWidth(int bits, IWidthCheck check)
    {
        using var device = CpuVariants.Create(1, bits); // skips where the processor lacks the width
        if (bits == 512) check.Run<Lanes512>();
        else if (bits == 256) check.Run<Lanes256>();
        else check.Run<Lanes128>();
    }

    private interface IWidthCheck
    {
        void Run<T>()
            where T : unmanaged, ISimd<T>;
    }

    private struct CountWork : IWork
    {
        public int* Counts;
        public int FailAt;

        public readonly void Run(int part, int worker)
        {
            if (part == FailAt) throw new InvalidOperationException("planted");
            Interlocked.Increment(ref Counts[part]);
        }
    }

    private sealed class ExpCheck : IWidthCheck
    {
        public void Run<T>()
            where T : unmanaged, ISimd<T>
        {
            float* x = stackalloc float[T.Width];
            float* y = stackalloc float[T.Width];
            var random = new PhiloxSequence(3, PhiloxPurpose.Sampling, 0);
            for (int i = 0; i < 60_000; i++)
            {
                for (int lane = 0; lane < T.Width; lane++) x[lane] = (float)(random.NextDouble() * 192 - 103.9);
                T.Store(SimdMath.Exp(T.Load(x)), y);
                for (int lane = 0; lane < T.Width; lane++)
                {
                    double exact = Math.Exp(x[lane]);
                    if (exact >= float.MaxValue) continue;
                    double ulp = MathF.BitIncrement((float)exact) - (float)exact;
                    Assert.True(Math.Abs(y[lane] - exact) <= 2 * ulp, $"exp({x[lane]:R}) is {y[lane]:R}, not {exact:R}");
                }
            }
        }
    }

    private sealed class ExpEdges : IWidthCheck
    {
        public void Run<T>()
            where T : unmanaged, ISimd<T>
        {
            (float X, float Expected)[] cases =
                [(float.NaN, float.NaN), (float.PositiveInfinity, float.PositiveInfinity), (float.NegativeInfinity, 0), (89, float.PositiveInfinity), (-105, 0), (0, 1)];
            float* y = stackalloc float[T.Width];
            foreach (var (x, expected) in cases)
            {
                T.Store(SimdMath.Exp(T.Create(x)), y);
                for (int lane = 0; lane < T.Width; lane++) Assert.Equal(expected, y[lane]);
            }
        }
    }

    private sealed class NoiseCheck : IWidthCheck
    {
        public void Run<T>()
            where T : unmanaged, ISimd<T>
        {
            float* actual = stackalloc float[1000];
            float[] expected = new float[1003];
            for (int position = 0; position < 40; position++)
            {
                GaussianNoise.Fill(expected, seed: 0x1234_5678_9ABC_DEF0, step: 7, layer: 3, pairId: 11, position);
                SimdGaussian<T>.Fill(actual, 0, 1000, NoiseSource.Counter(0x1234_5678_9ABC_DEF0, 7, 3), 11, position);
                Assert.Equal(expected[..1000], new Span<float>(actual, 1000).ToArray());
            }
        }
    }
}
