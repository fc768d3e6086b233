using RepNoise.Kernels.Cuda;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Kernels.Tests;

/// <summary>Operations on small tensors whose launches are recorded, so that their kernels can be broken.</summary>
internal static class CudaMutantCases
{
    /// <summary>By name: device, forced variant, how the symbols of the kernels to break begin, and the operations.</summary>
    public static readonly IReadOnlyDictionary<string, (string Device, string Kernel, string Symbols, Action<Recorder> Run)> All =
        new Dictionary<string, (string, string, string, Action<Recorder>)>
        {
            ["matmul nn"] = ("cuda:sim", "matmul=small", "", r => r.Matmul(MatmulForm.NN, 72, 72, 200)),
            ["matmul nt"] = ("cuda:sim", "matmul=small", "", r => r.Matmul(MatmulForm.NT, 72, 72, 200)),
            ["matmul tn"] = ("cuda:sim", "matmul=small", "", r => r.Matmul(MatmulForm.TN, 72, 72, 200)),
            ["matmul in parts"] = ("cuda:sim", "matmul=small", "matmul_combine", r => r.Matmul(MatmulForm.NT, 8, 72, 1032)),
            ["matmul any"] = ("cuda:sim", "matmul=any", "", Both(r => r.Matmul(MatmulForm.NN, 65, 75, 200), r => r.Matmul(MatmulForm.NN, 64, 64, 72))),
            ["matmul fma"] = ("cuda:sim:float32", "matmul=fma_small", "", Both(r => r.Matmul(MatmulForm.NN, 65, 67, 36), r => r.Matmul(MatmulForm.NN, 64, 64, 36))),
            ["matmul tf32x3"] = ("cuda:sim:float32", "matmul=tf32x3", "", Both(r => r.Matmul(MatmulForm.NN, 128, 32, 80), r => r.Matmul(MatmulForm.NN, 33, 35, 80))),
            ["matmul warpgroup nn"] = ("cuda:sim", "matmul=warpgroup_square", "matmul_nn_warpgroup", r => r.Matmul(MatmulForm.NN, 136, 120, 328)),
            ["matmul warpgroup nt"] = ("cuda:sim", "matmul=warpgroup_wide", "matmul_nt_warpgroup", r => r.Matmul(MatmulForm.NT, 72, 264, 200)),
            ["matmul warpgroup tn"] = ("cuda:sim", "matmul=warpgroup_square", "matmul_tn_warpgroup", r => r.Matmul(MatmulForm.TN, 72, 200, 328)),
            ["matmul warpgroup logits"] = ("cuda:sim", "matmul=warpgroup_wide", "matmul_logits_warpgroup", r => r.CrossEntropy(72, 200, 264)),
            ["attention"] = ("cuda:sim", "attention=flash", "", Both(r => r.Attention(64, 130), r => r.Attention(33, 40))), // rows that start anywhere, too
            ["attention tall"] = ("cuda:sim", "attention=flash_tall", "", Both(r => r.Attention(64, 200, backward: false), r => r.Attention(33, 40, backward: false))),
            ["attention simt"] = ("cuda:sim:float32", "attention=simt", "", r => r.Attention(40, 70)),
            ["norm by block"] = ("cuda:sim", "norm=block", "", Both(r => r.Norm(70, 264), r => r.Norm(6, 267, 272)) + Both(r => r.Norm(3, 4104), r => r.Norm(2, 4107, 4112))),
            ["norm by warp"] = ("cuda:sim:float32", "norm=warp", "", Both(r => r.Norm(70, 40), r => r.Norm(6, 43, 48))),
            ["cross-entropy"] = ("cuda:sim", "matmul=naive", "linear_cross_entropy", Both(r => r.CrossEntropy(16, 8, 600, spread: 16), r => r.CrossEntropy(4, 8, 601))),
            ["logits"] = ("cuda:sim", "matmul=small", "matmul_logits", r => r.CrossEntropy(72, 200, 72)),
            ["logits fma"] = ("cuda:sim:float32", "matmul=fma_small", "matmul_logits", Both(r => r.CrossEntropy(65, 36, 67), r => r.CrossEntropy(64, 36, 64))),
            ["embedding"] = ("cuda:sim", "matmul=naive", "", Both(r => r.Embedding(40, 16), r => r.Embedding(40, 13))),
            ["mmd"] = ("cuda:sim", "matmul=naive", "", Both(r => r.Mmd(72, 1, 12), Both(r => r.Mmd(3, 9, 136), r => r.Mmd(9, 2, 16, isBuffered: true)))),
            ["sums"] = ("cuda:sim", "matmul=naive", "", Both(r => r.Sums(5001), r => r.Sums(5000))),
            ["swiglu, rotary, adamw"] = ("cuda:sim", "matmul=naive", "", Both(r => r.Elementwise(24, 48), r => r.Elementwise(3, 30))),
        };

    private static Action<Recorder> Both(Action<Recorder> first, Action<Recorder> second) => first + second;

    /// <param name="name">Of a case.</param>
    /// <param name="fewBlocks">Each block has several rows, or tiles; else the grids are as they are.</param>
    public static RecordedLaunches Record(string name, bool fewBlocks = true)
    {
        var (device, kernel, _, run) = All[name];
        string[] forced = kernel.Split('=');
        using var recorder = new Recorder((CudaDevice)Devices.Create(device, new DeviceOptions { Kernels = new Dictionary<string, string> { [forced[0]] = forced[1] } }));
        return recorder.Record(run, fewBlocks);
    }

    /// <summary>Tensors with random values on a device, and the launches of operations on them.</summary>
    internal sealed class Recorder(CudaDevice device) : IDisposable
    {
        private readonly List<AcceleratorBuffer> buffers = [];
        private readonly List<IDisposable> owned = [];
        private readonly List<CudaLaunch> launches = [];
        private readonly Random random = new(5);
        private Action operation = () => { };

        public RecordedLaunches Record(Action<Recorder> prepare, bool fewBlocks)
        {
            prepare(this);
            // Once to make scratch memory, then from the same state with the recorder on.
            var before = buffers.ConvertAll(Contents);
            operation();
            // Kernels stride over their rows, or tiles, by the grid.
            device.Context.Launched = launch => launches.Add(fewBlocks ? launch with { Grid = launch.Grid with { X = Math.Min(MostBlocks(launch.Symbol), launch.Grid.X) } } : launch);
            operation();
            device.Context.Launched = null;
            var memory = buffers.Select((buffer, i) => (buffer.Pointer, before[i])).ToList();
            memory.AddRange(buffers.Select(buffer => buffer.Companion).OfType<RowRuns>().Select(runs => (runs.Memory.Pointer, Contents(runs.Memory))));
            var (scratch, bytes) = device.Context.ScratchMemory;
            if (bytes > 0) memory.Add((scratch, new byte[bytes]));
            return new RecordedLaunches(memory, launches);
        }

        public void Matmul(MatmulForm form, int m, int n, int k)
        {
            var a = form == MatmulForm.TN ? New(BufferKind.Compute, k, m) : New(BufferKind.Compute, m, k);
            var b = form == MatmulForm.NT ? New(BufferKind.Compute, n, k) : New(BufferKind.Compute, k, n);
            Tensor c = New(BufferKind.Compute, m, n), sums = New(BufferKind.State, m, n), bias = New(BufferKind.Compute, 1, n);
            operation += () =>
            {
                device.Matmul(c, a, b, form, accumulate: true, bias);
                device.Matmul(sums, a, b, form);
            };
        }

        public void Attention(int headSize, int rows, bool backward = true)
        {
            const int Heads = 2;
            int all = rows + 40;
            var plan = Own(new AttentionPlan(device, 2, all));
            plan.Load(
            [
                new AttentionSegment { QueryRow = 0, QueryCount = rows, KeyRow = 0, KeyCount = rows },
                new AttentionSegment { QueryRow = rows, QueryCount = 40, KeyRow = rows, KeyCount = 40, ContextRow = 0, ContextCount = rows },
            ], [.. Enumerable.Range(0, rows), .. Enumerable.Range(rows, 40)]);
            buffers.Add((AcceleratorBuffer)plan.DeviceSegments.Buffer);
            buffers.Add((AcceleratorBuffer)plan.DevicePositions.Buffer);
            Tensor Queries() => New(BufferKind.Compute, all, Heads * headSize);
            // More key rows than any query sees: a block of keys that has nothing to do still waits for its copies.
            Tensor Keys() => New(BufferKind.Compute, all + 70, headSize);
            Tensor q = Queries(), k = Keys(), v = Keys(), output = Queries(), dOutput = Queries(), dQ = Queries(), dK = Keys(), dV = Keys();
            var lse = New(BufferKind.State, all, Heads);
            var shape = new AttentionShape(Heads, 1, headSize, null);
            operation += () =>
            {
                device.AttentionForward(output, lse, q, k, v, plan, shape);
                if (backward) device.AttentionBackward(dQ, dK, dV, dOutput, output, lse, q, k, v, plan, shape);
            };
        }

        /// <param name="rows">Rows, of one group each.</param>
        /// <param name="columns">Columns of a group.</param>
        /// <param name="stride">Elements from one row to the next, where there are more.</param>
        public void Norm(int rows, int columns, int stride = 0)
        {
            Tensor Wide(BufferKind kind, int count) => New(kind, count, Math.Max(stride, columns)).ColumnRange(0, columns);
            Tensor x = Wide(BufferKind.Compute, rows), y = Wide(BufferKind.Compute, rows), weight = Wide(BufferKind.Compute, 1);
            Tensor sum = Wide(BufferKind.Compute, rows), rstd = New(BufferKind.State, rows, 1), dWeight = Wide(BufferKind.State, 1), dBias = Wide(BufferKind.State, 1);
            operation += () =>
            {
                device.RmsNormForward(y, rstd, x, weight, 1e-5);
                device.AddRmsNormForward(y, sum, rstd, x, y, weight, 1e-5);
                device.RmsNormBackward(x, dWeight, y, x, weight, rstd, accumulate: true);
                device.BiasBackward(dBias, y);
            };
        }

        /// <param name="rows">Rows.</param>
        /// <param name="columns">Columns of rows and head.</param>
        /// <param name="vocabulary">Rows of the head.</param>
        /// <param name="spread">Multiplies the rows: where few logits are near the largest, the order in which exponentials are added shows in the sum.</param>
        public void CrossEntropy(int rows, int columns, int vocabulary, double spread = 1)
        {
            Tensor x = New(BufferKind.Compute, rows, columns), weight = New(BufferKind.Compute, vocabulary, columns);
            if (spread != 1) device.Upload([.. Enumerable.Range(0, rows * columns).Select(_ => spread * (random.NextDouble() - 0.4))], x);
            Tensor losses = New(BufferKind.State, 1, rows), dX = New(BufferKind.Compute, rows, columns), dWeight = New(BufferKind.State, vocabulary, columns);
            var logits = New(BufferKind.Compute, rows, vocabulary);
            var targets = Numbers([.. Enumerable.Range(0, rows).Select(r => (r * 90 + vocabulary - 1) % vocabulary)]);
            operation += () => device.LinearCrossEntropy(losses, x, weight, targets, 1.0 / rows, dX, dWeight, logits);
        }

        public void Embedding(int rows, int columns)
        {
            Tensor table = New(BufferKind.Compute, 9, columns), output = New(BufferKind.Compute, rows, columns), dTable = New(BufferKind.State, 9, columns);
            var numbers = Numbers([.. Enumerable.Range(0, rows).Select(r => r * 5 % 9)]);
            operation += () =>
            {
                device.GatherRows(output, table, numbers);
                device.ScatterAddRows(dTable, output, numbers);
            };
        }

        public void Mmd(int pairs, int positions, int columns, bool isBuffered = false)
        {
            int[] entries = [.. Enumerable.Range(0, pairs * positions).Where(_ => random.Next(2) == 0)]; // runs of all lengths
            int rows = entries.Length;
            var plan = Own(new MmdPlan(device, pairs, rows));
            plan.Load([.. entries.Select(e => e % pairs)], [.. entries.Select(e => e / pairs)], [.. Enumerable.Range(3, pairs)]);
            foreach (var indices in (Indices[])[plan.DevicePairs, plan.DevicePositions, plan.DevicePairIds]) buffers.Add((AcceleratorBuffer)indices.Buffer);
            buffers.Add((AcceleratorBuffer)plan.Scratch);
            Tensor x = New(BufferKind.Compute, rows, columns), dX = New(BufferKind.Compute, rows, columns);
            Tensor mmd = New(BufferKind.Scalar, 1, 1), coefficients = New(BufferKind.Scalar, pairs, 2 * pairs);
            var noise = isBuffered ? NoiseSource.FromBuffer(New(BufferKind.State, rows, columns)) : NoiseSource.Counter(11, 2, 1);
            operation += () =>
            {
                device.MmdGaussianForward(mmd, coefficients, x, plan, noise);
                device.MmdGaussianBackward(dX, coefficients, x, plan, noise, 0.5);
            };
        }

        public void Sums(int length)
        {
            Tensor values = New(BufferKind.State, 1, length), compute = New(BufferKind.Compute, 1, length), result = New(BufferKind.Scalar, 1, 4);
            operation += () =>
            {
                device.AddSquaredNorm(result.Element(0), values);
                device.SumInto(result.Element(1), compute, 0.5, 1);
                device.ClipFactor(result.ColumnRange(2, 2), result.Element(0), 1, 0.5);
                device.Copy(compute, values);
            };
        }

        public void Elementwise(int rows, int columns)
        {
            Tensor New2(BufferKind kind) => New(kind, rows, columns);
            Tensor gate = New2(BufferKind.Compute), up = New2(BufferKind.Compute), output = New2(BufferKind.Compute), dGate = New2(BufferKind.Compute);
            Tensor dUp = New2(BufferKind.Compute), cos = New(BufferKind.State, rows, columns / 6), sin = New(BufferKind.State, rows, columns / 6);
            Tensor master = New2(BufferKind.State), gradient = New2(BufferKind.State), m = New2(BufferKind.State), v = New2(BufferKind.State);
            device.Fill(v, 0.25);
            var factor = New(BufferKind.Scalar, 1, 1);
            var positions = Numbers([.. Enumerable.Range(0, rows)]);
            var step = new AdamWStep(1e-2, 0.9, 0.999, 1e-8, 0.1, true, 3);
            operation += () =>
            {
                device.SwigluForward(output, gate, up);
                device.SwigluBackward(dGate, dUp, output, gate, up);
                device.Rotary(dUp, cos, sin, positions, inverse: false);
                device.AdamW(master, gate, gradient, m, v, step, factor);
            };
        }

        public void Dispose()
        {
            foreach (var disposable in owned) disposable.Dispose();
            device.Dispose();
        }

        private static int MostBlocks(string symbol) =>
            symbol.Contains("rms_norm_", StringComparison.Ordinal) ? 2 : symbol.Contains("_warpgroup_", StringComparison.Ordinal) ? 1 : int.MaxValue;

        private T Own<T>(T disposable)
            where T : IDisposable
        {
            owned.Add(disposable);
            return disposable;
        }

        private Indices Numbers(int[] values)
        {
            var indices = device.AllocateIndices(values.Length, "test");
            device.Upload(values, indices);
            buffers.Add((AcceleratorBuffer)Own(indices.Buffer));
            return indices;
        }

        private Tensor New(BufferKind kind, int rows, int columns)
        {
            var tensor = device.AllocateTensor(kind, rows, columns, "test");
            device.Upload([.. Enumerable.Range(0, rows * columns).Select(_ => random.NextDouble() - 0.4)], tensor);
            buffers.Add((AcceleratorBuffer)Own(tensor.Buffer));
            return tensor;
        }

        private byte[] Contents(AcceleratorBuffer buffer)
        {
            var contents = new byte[buffer.Bytes];
            device.Synchronize();
            System.Runtime.InteropServices.Marshal.Copy(buffer.Pointer, contents, 0, contents.Length);
            return contents;
        }
    }
}
