using static RepNoise.Kernels.Cpu.Division;

namespace RepNoise.Kernels.Cpu;

/// <summary>What a product moves, counted from the blocks that it is about to run; see <see cref="Traffic"/>.</summary>
internal sealed unsafe partial class Matmul<T, TTile>
{
    /// <summary>A single thread's product that lies in its cache as a whole, packed copies and all: each array crosses once.</summary>
    /// <returns>True where that is so, and was told of.</returns>
    private bool NoteWhatStays(View c, View a, View b, View bias, int blockK)
    {
        var traffic = new Traffic(context.CacheBytes);
        int height = TTile.Height(c.Rows);
        double packed = Ceiling(c.Rows, height) * (double)TTile.RowsLength(height, blockK) + Ceiling(c.Columns, TTile.Columns) * (double)TTile.ColumnsLength(blockK);
        double sources = a.Length + b.Length + bias.Length;
        if (context.Team.Size > 1 || !traffic.Fits(sources + packed + c.Length)) return false;
        traffic.Read(sources);
        traffic.Write(packed + c.Length);
        context.Note(traffic);
        return true;
    }

    /// <summary>
    /// One block of K and N. The threads have the parts that the team deals them, so a thread packs the row blocks of its run of parts.
    /// A packed row block stays in its thread's cache, where it fits, and its memory is written once; packed B is read by every row block,
    /// unless it stays too; C crosses in every block of K.
    /// </summary>
    private void NoteBlock(in Block block, bool streams, int rowBlocks)
    {
        var traffic = new Traffic(context.CacheBytes);
        int parts = rowBlocks * block.ColumnBlocks, threads = Math.Min(context.Team.Size, parts);
        double packedRows = 0;
        for (int thread = 0; thread < threads; thread++)
        {
            int first = (int)((long)parts * thread / threads) / block.ColumnBlocks, last = (int)((parts * (thread + 1L) / threads - 1) / block.ColumnBlocks);
            packedRows += Math.Min(block.C.Rows, (last + 1) * block.RowStrips * block.Height) - first * block.RowStrips * block.Height;
        }

        double packedFloats = packedRows / block.Height * block.StripA;
        double packedB = streams ? 0 : (double)block.Strips * block.StripB;
        double between = packedB + block.LengthA + (double)block.RowStrips * block.Height * (block.K + block.Columns);
        bool isNew = block.FirstK == 0 || !traffic.Fits(between); // else what the last block of K was packed into is still there
        traffic.Read(packedRows * block.K);
        bool keepsRows = traffic.Fits(block.LengthA + 2 * block.StripB);
        if (!keepsRows) traffic.Read((double)block.Strips * block.C.Rows / block.Height * block.StripA);
        if (!keepsRows) traffic.Write(packedFloats);
        else if (isNew) traffic.Write((double)threads * block.LengthA);

        double sourceB = (double)block.Columns * block.K;
        traffic.Read(sourceB);
        if (isNew) traffic.Write(streams ? (double)threads * block.StripB : packedB); // a part packs each strip over the last
        bool staysPacked = threads == 1 && traffic.Fits(between + sourceB);
        if (!staysPacked) traffic.Read(packedB * (traffic.Fits(between) ? threads : rowBlocks));

        traffic.Write((double)block.C.Rows * block.Columns);
        if (block.Bias is not null) traffic.Read(block.Columns);
        context.Note(traffic);
    }
}
