using System.Runtime.CompilerServices;

namespace RepNoise.Kernels.Cpu;

/// <summary>
/// Family linear_cross_entropy: chunks of as many rows as the workspace holds, and within a chunk blocks of the vocabulary that
/// stay in the L2 cache, so that the workspace passes through memory twice: written once and read once.
/// <para>Forward, a block at a time: logits z = x W^T, their maximum m, e = exp(z - m) and its sum, row by row. Then each row's
/// log-sum-exp, and from it what e is to be multiplied by in each block: p = e exp(m - lse). Backward, a block at a time:
/// dX += p W and dWeight += p^T x; the target's -1 is added to both apart. Nothing is computed twice.</para>
/// <para>dX sums over blocks: into at most 16 slots of blocks, whatever the threads, in order, then over the slots in order. A
/// workspace that is no dense matrix holds one row at a time. Several chunks share one packed copy of a head that is not too large.</para>
/// Variants: amx, its products in the processor's tile registers; vector512, vector256, vector128.
/// </summary>
internal abstract unsafe class LinearCrossEntropy
{
    /// <summary>See <see cref="Device.LinearCrossEntropy"/>; dX and dWeight may be no views.</summary>
    public abstract void Run(
        View losses, View x, View weight, int* targets, int* repeats, double gradientFactor, View dX, View dWeight, View workspace);
}

/// <inheritdoc/>
/// <typeparam name="T">The register of the passes over rows.</typeparam>
/// <typeparam name="TTile">How the products' tiles are computed.</typeparam>
internal sealed unsafe partial class LinearCrossEntropy<T, TTile>(CpuContext context) : LinearCrossEntropy
    where T : unmanaged, ISimd<T>
    where TTile : unmanaged, ITile
{
    public override void Run(
        View losses, View x, View weight, int* targets, int* repeats, double gradientFactor, View dX, View dWeight, View workspace)
    {
        int limit = Math.Min(workspace.IsDense ? workspace.Rows : 1, LinearCrossEntropyChunk<TTile>.MaxRows);
        int chunks = (x.Rows + limit - 1) / limit, size = (x.Rows + chunks - 1) / chunks;

        // Memory for the largest chunk, not for this one: what a run takes is then what was planned, whatever its batches.
        var largest = Chunk(0, limit, null);
        float* shared = context.Shared(largest.SharedLength);
        float** scratch = context.PerWorker(Math.Max(
            LinearCrossEntropyForward<T, TTile>.ScratchLength(largest), LinearCrossEntropyBackward<T, TTile>.ScratchLength(largest)));
        bool keepsHead = chunks > 1 && largest.CanKeepHead;
        bool counts = context.TrafficObserver is not null && !NoteWhatStays(Chunk(0, size, null), x, dX, dWeight, keepsHead);
        for (int start = 0; start < x.Rows; start += size)
        {
            int rows = Math.Min(size, x.Rows - start);
            var chunk = Chunk(start, rows, shared);
            if (keepsHead && start == 0)
            {
                if (counts) NoteHead(chunk);
                context.Team.Run(new HeadWork(chunk), chunk.Blocks);
            }

            int groups = LinearCrossEntropyForward<T, TTile>.RowGroups(chunk, context.Team.Size);
            if (counts) NoteChunk(chunk, groups, keepsHead, dWeight);
            RunChunk(chunk, groups, keepsHead, losses.Data + start, dX.IsEmpty ? default : dX.RowRange(start, rows), dWeight, scratch);
        }

        LinearCrossEntropyChunk<TTile> Chunk(int start, int rows, float* memory) => new(
            x.RowRange(start, rows), weight, targets + start, repeats is null ? null : repeats + start, (float)gradientFactor, !dX.IsEmpty, workspace.Data, memory);
    }

    private void RunChunk(in LinearCrossEntropyChunk<TTile> chunk, int groups, bool headIsKept, float* losses, View dX, View dWeight, float** scratch)
    {
        context.Team.Run(new StripWork(chunk), chunk.Strips);
        context.Team.Run(new LinearCrossEntropyForward<T, TTile>(chunk, groups, headIsKept, scratch), chunk.Blocks * groups);
        context.Team.Run(new LossWork(chunk, losses), (chunk.X.Rows + T.Width - 1) / T.Width);
        if (!chunk.HasGradients) return;
        context.Team.Run(new PanelWork(chunk), chunk.Passes * chunk.Panels);
        context.Team.Run(new LinearCrossEntropyBackward<T, TTile>(chunk, dWeight, scratch), chunk.Slots * chunk.Groups);
        new RowParts<SumWork>(new SumWork(chunk, dX), dX.Rows, dX.Columns).Run(context.Team);
    }

    /// <summary>Packs a block of the head for the forward of all chunks.</summary>
    private readonly struct HeadWork(LinearCrossEntropyChunk<TTile> chunk) : IWork
    {
        public void Run(int part, int worker)
        {
            for (int column = 0; column < chunk.ColumnsOf(part); column += TTile.Columns)
            {
                for (int inner = 0; inner < chunk.InnerBlocks; inner++)
                    LinearCrossEntropyForward<T, TTile>.PackHead(chunk, part, column, inner, chunk.HeadPanel(part, column, inner));
            }
        }
    }

    /// <summary>Packs a strip of rows for the forward.</summary>
    private readonly struct StripWork(LinearCrossEntropyChunk<TTile> chunk) : IWork
    {
        public void Run(int part, int worker)
        {
            int row = part * TTile.MaxRows, rows = Math.Min(TTile.MaxRows, chunk.X.Rows - row);
            for (int inner = 0; inner < chunk.InnerBlocks; inner++)
            {
                int k = inner * chunk.Inner, count = Math.Min(chunk.Inner, chunk.X.Columns - k);
                TTile.PackRowLines(chunk.X.Row(row) + k, chunk.X.Stride, rows, count, chunk.Strip(part, inner));
            }
        }
    }

    /// <summary>Packs some columns of a pass's rows for the backward.</summary>
    private readonly struct PanelWork(LinearCrossEntropyChunk<TTile> chunk) : IWork
    {
        public void Run(int part, int worker)
        {
            int pass = part / chunk.Panels, panel = part % chunk.Panels, width = TTile.Columns;
            int row = pass * chunk.RowsOfPass, column = panel * width;
            TTile.PackColumnsAcross(chunk.X.Row(row) + column, chunk.X.Stride, Math.Min(width, chunk.X.Columns - column),
                Math.Min(chunk.RowsOfPass, chunk.X.Rows - row), chunk.Panel(pass, panel));
        }
    }

    /// <summary>Losses of a register's rows, and by what their exponentials are to be multiplied in each block.</summary>
    private readonly struct LossWork(LinearCrossEntropyChunk<TTile> chunk, float* losses) : IWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int part, int worker)
        {
            int row = part * T.Width;
            var max = T.Load(chunk.Max(0) + row);
            for (int block = 1; block < chunk.Blocks; block++) max = T.Max(max, T.Load(chunk.Max(block) + row));
            T low = default, high = default;
            for (int block = 0; block < chunk.Blocks; block++)
            {
                float* scale = chunk.Scale(block) + row;
                var share = SimdMath.Exp(T.Load(chunk.Max(block) + row) - max);
                var sum = share * T.Load(scale);
                low = T.AddDouble(low, T.WidenLower(sum));
                high = T.AddDouble(high, T.WidenUpper(sum));
                T.Store(share, scale);
            }

            var factor = Losses(row, max, low, high);
            for (int block = 0; block < chunk.Blocks; block++)
            {
                float* scale = chunk.Scale(block) + row;
                T.Store(factor * T.Load(scale), scale);
            }
        }

        /// <summary>Writes the losses; returns the gradient's factor over the sums.</summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        private T Losses(int row, T max, T low, T high)
        {
            double* sums = stackalloc double[T.Width];
            T.Store(low, (float*)sums);
            T.Store(high, (float*)(sums + T.Width / 2));
            float* values = stackalloc float[T.Width];
            T.Store(max, values);
            for (int i = 0; i < T.Width; i++)
            {
                int entry = row + i, entries = entry < chunk.X.Rows ? chunk.Entries(entry) : 1;
                if (entry < chunk.X.Rows) losses[entry] = (float)(entries * (Math.Log(sums[i]) + ((double)values[i] - chunk.Chosen[entry])));
                values[i] = (float)(chunk.Factor * entries / sums[i]);
            }

            return T.Load(values);
        }
    }

    /// <summary>dX = the sum of a row's slots, less the target's row of the head.</summary>
    private readonly struct SumWork(LinearCrossEntropyChunk<TTile> chunk, View dX) : IRowWork
    {
        [MethodImpl(KernelLoop.Options)]
        public void Run(int row)
        {
            float* to = dX.Row(row), target = chunk.Weight.Row(chunk.Targets[row]);
            var factor = T.Create(-chunk.Factor * chunk.Entries(row));
            for (int i = 0; i < dX.Columns; i += T.Width)
            {
                int left = dX.Columns - i;
                var sum = SimdMath.Load<T>(chunk.Slot(0, row) + i, left);
                for (int slot = 1; slot < chunk.Slots; slot++) sum += SimdMath.Load<T>(chunk.Slot(slot, row) + i, left);
                SimdMath.Store(T.MultiplyAdd(factor, SimdMath.Load<T>(target + i, left), sum), to + i, left);
            }
        }
    }
}
