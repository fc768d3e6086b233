using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family mmd_gaussian. Squared distances come from direct differences (no |a|^2 + |b|^2 - 2ab, which cancels), in blocks of
/// channels that stay in the L1 cache, accumulated in float64. Positions are cut into at most <see cref="MaxSlots"/> slots,
/// whatever the threads; a slot sums its positions in order into its part of the plan's scratch, the slots are added in order.
/// Counter noise is drawn block by block, again in the backward. Variants: vector512, vector256, vector128.
/// </summary>
internal abstract unsafe class MmdGaussian
{
    /// <summary>Most partial sums of a distance.</summary>
    public const int MaxSlots = 64;

    /// <summary>Kernels of bandwidths w, 2w, 4w, 8w and 16w.</summary>
    private const int Bandwidths = 5;

    /// <summary>Scalars of scratch: a (2B, 2B) matrix a slot.</summary>
    public static long ScratchLength(int maxPairs, int maxRows) => 4L * maxPairs * maxPairs * Math.Min(MaxSlots, maxRows);

    /// <summary>See <see cref="Device.MmdGaussianForward"/>; scratch as <see cref="ScratchLength"/> has it.</summary>
    public void Forward(double* mmd, double* coefficients, long stride, View x, MmdPlan plan, in MmdBatch batch, double* scratch)
    {
        int size = 2 * plan.PairCount;
        int slots = Math.Min(MaxSlots, plan.RunCount);
        long length = (long)size * size;
        Distances(x, batch, scratch, slots);
        if (slots == 0)
        {
            // No entries: all vectors are zero, and there may be no scratch at all.
            *mmd = 0;
            for (int i = 0; i < plan.PairCount; i++) new Span<double>(coefficients + i * stride, size).Clear();
            return;
        }

        for (int slot = 1; slot < slots; slot++)
        {
            for (long i = 0; i < length; i++) scratch[i] += scratch[slot * length + i];
        }

        double bandwidth = Bandwidth(scratch, size);
        *mmd = bandwidth == 0 ? 0 : Mean(scratch, plan.PairCount, bandwidth);
        for (int i = 0; i < plan.PairCount; i++)
        {
            for (int j = 0; j < size; j++)
                coefficients[i * stride + j] = Coefficient(Distance(scratch, size, i, j), bandwidth, j < plan.PairCount, plan.PairCount);
        }
    }

    /// <summary>Room in which each worker draws a block of channels for all pairs.</summary>
    public abstract float** Draws(int pairs);

    /// <summary>See <see cref="Device.MmdGaussianBackward"/>.</summary>
    public abstract void Backward(View dX, double* coefficients, long stride, View x, in MmdBatch batch, double factor);

    /// <summary>Upper triangles of squared distances, one (2B, 2B) matrix a slot.</summary>
    protected abstract void Distances(View x, in MmdBatch batch, double* scratch, int slots);

    /// <summary>d2 is symmetric; the upper triangle is kept.</summary>
    private static double Distance(double* distances, int size, int i, int j) => distances[Math.Min(i, j) * (long)size + Math.Max(i, j)];

    /// <summary>w = sum(d2) / (n^2 - n) / 4.</summary>
    private static double Bandwidth(double* distances, int size)
    {
        double sum = 0;
        for (int i = 0; i < size; i++)
        {
            for (int j = i + 1; j < size; j++) sum += 2 * distances[i * (long)size + j];
        }

        return size == 0 ? 0 : sum / ((double)size * size - size) / 4;
    }

    private static double Mean(double* distances, int pairs, double bandwidth)
    {
        double sum = 0;
        for (int i = 0; i < pairs; i++)
        {
            for (int j = 0; j < pairs; j++)
            {
                sum += Kernel(Distance(distances, 2 * pairs, i, j), bandwidth)
                    + Kernel(Distance(distances, 2 * pairs, pairs + i, pairs + j), bandwidth)
                    - 2 * Kernel(Distance(distances, 2 * pairs, i, pairs + j), bandwidth);
            }
        }

        return sum / ((double)pairs * pairs);
    }

    private static double Kernel(double distance, double bandwidth)
    {
        double sum = 0;
        for (int m = 0; m < Bandwidths; m++) sum += Math.Exp(-distance / (bandwidth * (1 << m)));
        return sum;
    }

    /// <summary>(+4 for j of x, -4 for j of noise) / B^2 * dk/d(d2): a kernel value occurs twice, and d2 gives 2 (X_i - z_j).</summary>
    private static double Coefficient(double distance, double bandwidth, bool isOfX, int pairs)
    {
        if (bandwidth == 0) return 0;
        double slope = 0;
        for (int m = 0; m < Bandwidths; m++)
        {
            double width = bandwidth * (1 << m);
            slope -= Math.Exp(-distance / width) / width;
        }

        return (isOfX ? 4 : -4) * slope / ((double)pairs * pairs);
    }
}

/// <summary>A plan's entries and its noise, as plain memory.</summary>
internal readonly unsafe struct MmdBatch(MmdPlan plan, NoiseSource noise)
{
    public readonly int* Pairs = View.Numbers(plan.DevicePairs);
    public readonly int* Positions = View.Numbers(plan.DevicePositions);
    public readonly int* PairIds = View.Numbers(plan.DevicePairIds);
    public readonly int PairCount = plan.PairCount;
    public readonly int RowCount = plan.RowCount;
    public readonly int RunCount = plan.RunCount;
    public readonly View Buffer = View.Of(noise.Buffer);
    public readonly ulong Seed = noise.Seed;
    public readonly uint Step = noise.Step;
    public readonly int Layer = noise.Layer;

    /// <summary>One past the last entry at an entry's position.</summary>
    public int EndOfRun(int entry)
    {
        int end = entry + 1;
        while (end < RowCount && Positions[end] == Positions[entry]) end++;
        return end;
    }

    /// <summary>The draw of an entry: channels first to first + count - 1, in <paramref name="room"/> or where it lies.</summary>
    public float* Draw<T>(int entry, int first, int count, float* room)
        where T : unmanaged, ISimd<T>
    {
        if (!Buffer.IsEmpty) return Buffer.Row(entry) + first;
        SimdGaussian<T>.Fill(room, first, count, NoiseSource.Counter(Seed, Step, Layer), PairIds[Pairs[entry]], Positions[entry]);
        return room;
    }
}

/// <inheritdoc/>
internal sealed unsafe class MmdGaussian<T>(CpuContext context) : MmdGaussian
    where T : unmanaged, ISimd<T>
{
    /// <summary>Channels of a block: 16 vectors of it are 32 KiB.</summary>
    private const int BlockChannels = 512;

    /// <summary>Entries per part of the backward, at least; a part is whole positions.</summary>
    private const int PartEntries = 8;

    public override float** Draws(int pairs) => context.PerWorker((long)pairs * BlockChannels);

    protected override void Distances(View x, in MmdBatch batch, double* scratch, int slots)
    {
        float** drawn = Draws(batch.PairCount);
        NoteTraffic(x, batch, slots, 4L * batch.PairCount * batch.PairCount * slots);
        context.Team.Run(new DistanceWork(x, batch, scratch, slots, drawn), slots);
    }

    public override void Backward(View dX, double* coefficients, long stride, View x, in MmdBatch batch, double factor)
    {
        float** drawn = Draws(batch.PairCount);
        NoteTraffic(x, batch, Parts(batch), 0, dX.Length);
        var work = new GradientWork(dX, coefficients, stride, x, batch, factor, drawn);
        context.Team.Run(work, Parts(batch));
    }

    private static int Parts(in MmdBatch batch) => (batch.RowCount + PartEntries - 1) / PartEntries;

    /// <summary>Rows and noise once, since a position's block stays in the cache; drawn noise in a thread's own room; doubles twice as long.</summary>
    private void NoteTraffic(View x, in MmdBatch batch, int parts, long doubles, long written = 0)
    {
        long room = batch.Buffer.IsEmpty ? (long)batch.PairCount * Math.Min(BlockChannels, x.Columns) : 0;
        context.NoteTraffic(x.Length + batch.Buffer.Length, written + 2 * doubles + room * Math.Min(context.Team.Size, parts));
    }

    /// <summary>Distances of one slot's positions.</summary>
    private readonly struct DistanceWork(View x, MmdBatch batch, double* scratch, int slots, float** drawn) : IWork
    {
        private int Size => 2 * batch.PairCount;

        public void Run(int part, int worker)
        {
            double* distances = scratch + (long)part * Size * Size;
            for (long i = 0; i < (long)Size * Size; i++) distances[i] = 0;
            int firstRun = (int)((long)part * batch.RunCount / slots), endRun = (int)((part + 1L) * batch.RunCount / slots);
            for (int run = 0, first = 0; run < endRun; run++)
            {
                int end = batch.EndOfRun(first);
                if (run >= firstRun) AddPosition(distances, first, end, drawn[worker]);
                first = end;
            }
        }

        private void AddPosition(double* distances, int first, int end, float* room)
        {
            int entries = end - first;
            float** vectors = stackalloc float*[2 * entries];
            for (int channel = 0; channel < x.Columns; channel += BlockChannels)
            {
                int count = Math.Min(BlockChannels, x.Columns - channel);
                for (int i = 0; i < entries; i++)
                {
                    vectors[i] = x.Row(first + i) + channel;
                    vectors[entries + i] = batch.Draw<T>(first + i, channel, count, room + (long)i * BlockChannels);
                }

                AddBlock(distances, vectors, first, entries, count);
            }
        }

        /// <summary>All pairs of the vectors at a position, and each of them against the pairs that have none there.</summary>
        private void AddBlock(double* distances, float** vectors, int first, int entries, int count)
        {
            for (int i = 0; i < 2 * entries; i++)
            {
                int row = IndexOf(i, first, entries);
                AddAbsent(distances, row, first, entries, SimdMath.DotWide<T>(vectors[i], vectors[i], count));
                for (int j = i + 1; j < 2 * entries; j++)
                    distances[(long)row * Size + IndexOf(j, first, entries)] += SquaredDistance(vectors[i], vectors[j], count);
            }
        }

        private void AddAbsent(double* distances, int vector, int first, int entries, double squaredLength)
        {
            for (int pair = 0, next = first; pair < batch.PairCount; pair++)
            {
                if (next < first + entries && batch.Pairs[next] == pair)
                {
                    next++;
                    continue;
                }

                distances[(long)Math.Min(vector, pair) * Size + Math.Max(vector, pair)] += squaredLength;
                int noise = batch.PairCount + pair;
                distances[(long)Math.Min(vector, noise) * Size + Math.Max(vector, noise)] += squaredLength;
            }
        }

        /// <summary>Which of the 2B vectors the i-th at a position is: entries ascend by pair, so the order is kept.</summary>
        private int IndexOf(int i, int first, int entries) =>
            i < entries ? batch.Pairs[first + i] : batch.PairCount + batch.Pairs[first + i - entries];
    }

    /// <summary>Gradients of the positions that start within a part's entries.</summary>
    private readonly struct GradientWork(
        View dX, double* coefficients, long stride, View x, MmdBatch batch, double factor, float** drawn) : IWork
    {
        public void Run(int part, int worker)
        {
            int first = part * PartEntries, limit = Math.Min(batch.RowCount, first + PartEntries);
            while (first > 0 && first < limit && batch.Positions[first] == batch.Positions[first - 1]) first++;
            while (first < limit)
            {
                int end = batch.EndOfRun(first);
                for (int channel = 0; channel < x.Columns; channel += BlockChannels)
                    Block(first, end, channel, Math.Min(BlockChannels, x.Columns - channel), drawn[worker]);
                first = end;
            }
        }

        private void Block(int first, int end, int channel, int count, float* room)
        {
            float** draws = stackalloc float*[end - first];
            for (int r = first; r < end; r++) draws[r - first] = batch.Draw<T>(r, channel, count, room + (long)(r - first) * BlockChannels);
            for (int r = first; r < end; r++) Row(r, first, end, channel, count, draws);
        }

        [MethodImpl(KernelLoop.Options)]
        private void Row(int r, int first, int end, int channel, int count, float** draws)
        {
            double* row = coefficients + batch.Pairs[r] * stride;
            float* to = dX.Row(r) + channel, own = x.Row(r) + channel;
            T scale = T.Create((float)factor), absent = T.Create((float)Absent(row, first, end));
            for (int i = 0; i < count; i += T.Width)
            {
                int left = count - i;
                var z = SimdMath.Load<T>(own + i, left);
                var sum = absent * z;
                for (int e = first; e < end; e++)
                {
                    int pair = batch.Pairs[e];
                    var other = SimdMath.Load<T>(x.Row(e) + channel + i, left);
                    sum = T.MultiplyAdd(T.Create((float)row[pair]), z - other, sum);
                    var draw = SimdMath.Load<T>(draws[e - first] + i, left);
                    sum = T.MultiplyAdd(T.Create((float)row[batch.PairCount + pair]), z - draw, sum);
                }

                SimdMath.Store(scale * sum, to + i, left);
            }
        }

        /// <summary>Sum of the coefficients of pairs without an entry here, whose vectors are zero.</summary>
        private double Absent(double* row, int first, int end)
        {
            double sum = 0;
            for (int pair = 0, next = first; pair < batch.PairCount; pair++)
            {
                if (next < end && batch.Pairs[next] == pair) next++;
                else sum += row[pair] + row[batch.PairCount + pair];
            }

            return sum;
        }
    }

    [MethodImpl(KernelLoop.Options)]
    private static double SquaredDistance(float* a, float* b, int count)
    {
        T low = default, high = default;
        for (int i = 0; i < count; i += T.Width)
        {
            var d = SimdMath.Load<T>(a + i, count - i) - SimdMath.Load<T>(b + i, count - i);
            T wideLow = T.WidenLower(d), wideHigh = T.WidenUpper(d);
            low = T.MultiplyAddDouble(wideLow, wideLow, low);
            high = T.MultiplyAddDouble(wideHigh, wideHigh, high);
        }

        return T.SumDouble(T.AddDouble(low, high));
    }
}
