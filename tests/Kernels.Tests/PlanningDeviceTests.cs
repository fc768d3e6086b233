using RepNoise.Kernels.Cuda;

namespace RepNoise.Kernels.Tests;

/// <summary>A planning device counts what its device hands out, buffers and scratch, to the byte.</summary>
public sealed class PlanningDeviceTests
{
    public static TheoryData<int, int> Cpus => new() { { 128, 1 }, { 256, 2 }, { 512, 1 }, { 512, 3 } };

    [Theory]
    [MemberData(nameof(Cpus))]
    public void The_cpu_device_hands_out_what_was_planned(int bits, int threads)
    {
        using var device = CpuVariants.Create(threads, bits); // skips where the processor lacks the width
        Compare(device);
        Assert.InRange(device.Memory[MemoryCategory.Scratch], 1, 16 << 20);
    }

    [Theory]
    [InlineData("cuda:sim")]
    [InlineData("cuda:sim:float32")]
    [InlineData("ilgpu:cuda-sim")]
    [InlineData("ilgpu:cpu")]
    public void A_gpu_hands_out_what_was_planned(string name)
    {
        if (Devices.List().First(device => device.Name == name).Refusal is { } refusal) Assert.Skip(refusal);
        using var device = Devices.Create(name);
        if (name.StartsWith("ilgpu", StringComparison.Ordinal))
        {
            // All of its scratch is made with the device.
            using var planning = device.CreatePlanningDevice();
            Assert.Equal(device.Memory[MemoryCategory.Scratch], planning.Memory[MemoryCategory.Scratch]);
            Assert.InRange(planning.PeakAllocatedBytes, 1, 64 << 20);
            return;
        }

        // Not those that only take long there: a GPU's scratch for sums and distances does not grow with them.
        Compare(device, [.. Work.Operations.Where(operation => !operation.Name.StartsWith("long", StringComparison.Ordinal))]);
        Assert.InRange(device.Memory[MemoryCategory.Scratch], 1, 64 << 20);
    }

    [Theory]
    [InlineData("cuda:sim")]
    [InlineData("cuda:sim:float32")]
    public void A_lighter_batch_takes_no_more_scratch_than_the_heaviest(string name)
    {
        if (Devices.List().First(device => device.Name == name).Refusal is { } refusal) Assert.Skip(refusal);
        using var device = Devices.Create(name);
        using var planning = device.CreatePlanningDevice();
        using Work real = new(device), planned = new(planning);
        planned.Matmul(MatmulForm.NT, 100_000, 40, 2048); // has more rows than any product that is split
        real.Matmul(MatmulForm.NT, 16, 40, 2048);
        Assert.InRange(device.Memory[MemoryCategory.Scratch], 1, 32 << 20);
        Assert.Equal(planning.Memory[MemoryCategory.Scratch], device.Memory[MemoryCategory.Scratch]);
        planned.Attention(300, 2, 1, 16, null, rowsOfPlan: 600);
        real.Attention(20, 2, 1, 16, null, rowsOfPlan: 600);
        Assert.Equal(planning.Memory[MemoryCategory.Scratch], device.Memory[MemoryCategory.Scratch]);
    }

    /// <summary>Of a device that has done nothing else: sums of rows by the product, and, where its rows start anywhere, after it.</summary>
    [Theory]
    [InlineData("cuda:sim", 16)]
    [InlineData("cuda:sim", 5)]
    [InlineData("cuda:sim:float32", 16)]
    public void The_sums_of_logits_are_planned(string name, int columns)
    {
        const int Vocabulary = 700, Chunk = 4;
        if (Devices.List().First(device => device.Name == name).Refusal is { } refusal) Assert.Skip(refusal);
        using var device = Devices.Create(name);
        using var planning = device.CreatePlanningDevice();
        using Work real = new(device), planned = new(planning);
        foreach (bool gradients in new[] { false, true })
        {
            planned.CrossEntropy(9, columns, Vocabulary, Chunk, gradients);
            real.CrossEntropy(9, columns, Vocabulary, Chunk, gradients);
            Assert.InRange(device.Memory[MemoryCategory.Scratch], Chunk * Vocabulary / 4, 32 << 20);
            Assert.Equal(planning.Memory[MemoryCategory.Scratch], device.Memory[MemoryCategory.Scratch]);
            Assert.Equal(planning.PeakAllocatedBytes, device.PeakAllocatedBytes);
        }
    }

    [Theory]
    [InlineData(MatmulForm.NT, 1, 4096, 2048)]
    [InlineData(MatmulForm.NN, 1, 24, 600)]
    [InlineData(MatmulForm.TN, 512, 513, 1)]
    [InlineData(MatmulForm.TN, 3000, 2000, 1)]
    [InlineData(MatmulForm.NT, 1, 64, 511)]
    public void No_number_of_rows_takes_more_for_its_parts_than_is_reserved(MatmulForm form, int m, int n, int k)
    {
        long reserved = MatmulTile.PartBytesOfAnyBatch(form, m, n, k), most = 0;
        for (int rows = 1; rows < 70_000; rows += rows < 2000 ? 1 : 997)
        {
            var (rowsOfC, depth) = form == MatmulForm.TN ? (m, rows) : (rows, k);
            int parts = MatmulTile.Choose(MatmulTile.BFloat16, form, rowsOfC, n, depth, 132).Parts;
            if (parts > 1) most = Math.Max(most, MatmulTile.PartBytes(rowsOfC, n, parts));
        }

        Assert.InRange(most, 0, reserved);
        Assert.Equal(reserved == 0, most == 0);
    }

    [Theory]
    [InlineData("reference:float64")]
    [InlineData("reference:bfloat16")]
    public void A_device_without_scratch_needs_no_plan_of_its_own(string name)
    {
        using var device = Devices.Create(name);
        Compare(device);
    }

    [Fact]
    public void Memory_that_no_machine_has_can_be_planned()
    {
        using var device = Devices.Create("cpu", new DeviceOptions { Threads = 2 });
        using var planning = device.CreatePlanningDevice();
        const int size = 1 << 20;
        var matrices = Enumerable.Range(0, 3).Select(_ => planning.AllocateTensor(BufferKind.Compute, size, size, MemoryCategory.Weights)).ToArray();
        planning.Matmul(matrices[0], matrices[1], matrices[2], MatmulForm.NT);
        Assert.Equal(3L * size * size * sizeof(float), planning.Memory[MemoryCategory.Weights]);
        Assert.Equal(planning.Memory[MemoryCategory.Weights] + planning.Memory[MemoryCategory.Scratch], planning.PeakAllocatedBytes);
        foreach (var matrix in matrices) matrix.Buffer.Dispose();
        Assert.Equal(0, planning.Memory[MemoryCategory.Weights]);
        Assert.Equal(0, device.AllocatedBytes);
    }

    [Fact]
    public void Arguments_are_checked_as_always()
    {
        using var device = Devices.Create("cpu");
        using var planning = device.CreatePlanningDevice();
        var matrix = planning.AllocateTensor(BufferKind.Compute, 2, 3, "test");
        Assert.Throws<ShapeException>(() => planning.Matmul(matrix, matrix, matrix, MatmulForm.NN));
    }

    private static void Compare(Device device) => Compare(device, [.. Work.Operations]);

    private static void Compare(Device device, IReadOnlyList<(string Name, Action<Work> Run)> operations)
    {
        using var planning = device.CreatePlanningDevice();
        using Work real = new(device), planned = new(planning);
        foreach (var (name, run) in operations)
        {
            run(real);
            run(planned);
            foreach (string category in device.Memory.AtPeak.Keys.Union(planning.Memory.AtPeak.Keys))
                Assert.True(device.Memory[category] == planning.Memory[category],
                    $"{name}: {category} is {device.Memory[category]}, planned {planning.Memory[category]}");
        }

        Assert.Equal(device.PeakAllocatedBytes, planning.PeakAllocatedBytes);
        Assert.Equal(device.PeakAllocatedBytes, device.Memory.AtPeak.Values.Sum());
    }

    /// <summary>Operations with scratch, in sizes that grow and shrink it.</summary>
    private sealed class Work(Device device) : IDisposable
    {
        private readonly List<DeviceBuffer> buffers = [];

        public static IEnumerable<(string Name, Action<Work> Run)> Operations =>
        [
            ("sum", w => w.Sum(70_001)),
            ("norm", w => w.Norm(40, 3, 24)),
            ("long norm", w => w.Norm(3000, 8, 64)),
            ("small matmul", w => w.Matmul(MatmulForm.NT, 3, 40, 20)),
            ("matmul NT", w => w.Matmul(MatmulForm.NT, 37, 130, 50)),
            ("long matmul NN", w => w.Matmul(MatmulForm.NN, 300, 70, 1000)),
            ("matmul in parts", w => w.Matmul(MatmulForm.NT, 16, 40, 2048)),
            ("matmul TN", w => w.Matmul(MatmulForm.TN, 129, 513, 61)),
            ("attention", w => w.Attention(70, 2, 2, 16, null)),
            ("long grouped attention", w => w.Attention(150, 8, 2, 32, 5)),
            ("decoding", w => w.Attention(1, 2, 1, 8, null)),
            ("mmd", w => w.Mmd(3, 5)),
            ("long mmd", w => w.Mmd(40, 90)),
            ("cross-entropy", w => w.CrossEntropy(70, 20, 331, 32)),
            ("scatter", w => w.Scatter(37, 5)),
            ("longer sum", w => w.Sum(3_000_000)),
        ];

        public void Dispose()
        {
            foreach (var buffer in buffers) buffer.Dispose();
        }

        private void Sum(int length)
        {
            device.AddSquaredNorm(New(BufferKind.Scalar, 1, 1), New(BufferKind.State, 1, length));
            device.SumInto(New(BufferKind.Scalar, 1, 1), New(BufferKind.State, 3, length / 3), 1, 0);
        }

        private void Norm(int rows, int groups, int columns)
        {
            Tensor Rows() => New(BufferKind.Compute, rows, groups * columns);
            Tensor x = Rows(), weight = New(BufferKind.Compute, 1, columns), rstd = New(BufferKind.State, rows, groups);
            device.AddRmsNormForward(Rows(), x, rstd, Rows(), Rows(), weight, 1e-5);
            device.RmsNormBackward(Rows(), New(BufferKind.State, 1, columns), Rows(), x, weight, rstd, accumulate: false);
        }

        public void Matmul(MatmulForm form, int m, int n, int k)
        {
            var a = form == MatmulForm.TN ? New(BufferKind.Compute, k, m) : New(BufferKind.Compute, m, k);
            var b = form == MatmulForm.NT ? New(BufferKind.Compute, n, k) : New(BufferKind.Compute, k, n);
            device.Matmul(New(BufferKind.Compute, m, n), a, b, form);
        }

        public void Attention(int rows, int heads, int keyValueHeads, int headSize, int? window, int? rowsOfPlan = null)
        {
            using var plan = new AttentionPlan(device, 3, rowsOfPlan ?? 2 * rows);
            plan.Load(
            [
                new AttentionSegment { QueryRow = 0, QueryCount = rows, KeyRow = 0, KeyCount = rows },
                new AttentionSegment { QueryRow = rows, QueryCount = rows, KeyRow = rows, KeyCount = rows, ContextRow = 0, ContextCount = rows },
            ], [.. Enumerable.Range(0, 2 * rows)]);
            var shape = new AttentionShape(heads, keyValueHeads, headSize, window);
            Tensor Queries() => New(BufferKind.Compute, 2 * rows, heads * headSize);
            Tensor Keys() => New(BufferKind.Compute, 2 * rows, keyValueHeads * headSize);
            Tensor q = Queries(), k = Keys(), v = Keys(), output = Queries(), lse = New(BufferKind.State, 2 * rows, heads);
            device.AttentionForward(output, lse, q, k, v, plan, shape);
            device.AttentionBackward(Queries(), Keys(), Keys(), Queries(), output, lse, q, k, v, plan, shape);
        }

        private void Mmd(int pairs, int positions)
        {
            using var plan = new MmdPlan(device, pairs, pairs * positions);
            int[] entries = [.. Enumerable.Range(0, pairs * positions)];
            plan.Load([.. entries.Select(e => e % pairs)], [.. entries.Select(e => e / pairs)], [.. Enumerable.Range(0, pairs)]);
            Tensor x = New(BufferKind.Compute, entries.Length, 17), coefficients = New(BufferKind.Scalar, pairs, 2 * pairs);
            device.MmdGaussianForward(New(BufferKind.Scalar, 1, 1), coefficients, x, plan, NoiseSource.Counter(1, 0, 0));
            device.MmdGaussianBackward(New(BufferKind.Compute, entries.Length, 17), coefficients, x, plan, NoiseSource.Counter(1, 0, 0), 1);
        }

        public void CrossEntropy(int rows, int columns, int vocabulary, int chunk, bool gradients = true)
        {
            var targets = device.AllocateIndices(rows, "test");
            buffers.Add(targets.Buffer);
            device.LinearCrossEntropy(New(BufferKind.State, 1, rows), New(BufferKind.Compute, rows, columns), New(BufferKind.Compute, vocabulary, columns),
                targets, 1, gradients ? New(BufferKind.Compute, rows, columns) : default, gradients ? New(BufferKind.State, vocabulary, columns) : default, New(BufferKind.Compute, chunk, vocabulary));
        }

        /// <summary>By two lists: one that stays, and one that is released.</summary>
        private void Scatter(int rows, int columns)
        {
            Tensor table = New(BufferKind.State, 3, columns), values = New(BufferKind.Compute, rows, columns);
            foreach (bool stays in (bool[])[true, false])
            {
                var numbers = device.AllocateIndices(rows + 10, "test");
                if (stays) buffers.Add(numbers.Buffer);
                for (int count = rows - 2; count <= rows; count += 2) device.ScatterAddRows(table, values.RowRange(0, count), numbers.Range(0, count));
                if (!stays) numbers.Buffer.Dispose();
            }
        }

        private Tensor New(BufferKind kind, int rows, int columns)
        {
            var tensor = device.AllocateTensor(kind, rows, columns, "test");
            buffers.Add(tensor.Buffer);
            return tensor;
        }
    }
}
