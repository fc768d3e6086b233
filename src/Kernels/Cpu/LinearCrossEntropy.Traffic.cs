namespace RepNoise.Kernels.Cpu;

/// <summary>What the lens loss moves, counted from the chunk that it is about to run; see <see cref="Traffic"/>.</summary>
internal sealed unsafe partial class LinearCrossEntropy<T, TTile>
{
    private const int BlockColumns = LinearCrossEntropyChunk<TTile>.BlockColumns;
    private const int FloatsPerLine = 16;

    /// <summary>A single thread's loss that lies in its cache as a whole: each array crosses once.</summary>
    /// <param name="chunk">The largest.</param>
    /// <param name="x">All rows.</param>
    /// <param name="dX">Their gradient, or none.</param>
    /// <param name="dWeight">The head's, or none.</param>
    /// <param name="keepsHead">A packed copy of the head is made.</param>
    /// <returns>True where that is so, and was told of.</returns>
    private bool NoteWhatStays(in LinearCrossEntropyChunk<TTile> chunk, View x, View dX, View dWeight, bool keepsHead)
    {
        if (context.Team.Size > 1) return false;
        var traffic = new Traffic(context.CacheBytes);
        double read = x.Length + chunk.Weight.Length, written = dX.Length + dWeight.Length + chunk.StripsLength + 2.0 * chunk.RowNumbersLength;
        written += (double)BlockColumns * TTile.MaxRows * chunk.Strips + (keepsHead ? chunk.KeptHeadLength : TTile.ColumnsLength(chunk.Inner));
        if (chunk.HasGradients)
        {
            written += chunk.PanelsLength + (double)chunk.X.Rows * chunk.Weight.Rows + (double)chunk.Slots * chunk.X.Length;
            written += BlockColumns * (double)(chunk.RowsOfLargestPass + Math.Min(LinearCrossEntropyChunk<TTile>.GroupColumns, x.Columns));
        }

        if (!traffic.Fits(read + written)) return false;
        traffic.Read(read);
        traffic.Write(written);
        context.Note(traffic);
        return true;
    }

    /// <summary>The head, packed for all chunks.</summary>
    private void NoteHead(in LinearCrossEntropyChunk<TTile> chunk)
    {
        var traffic = new Traffic(context.CacheBytes);
        traffic.Read(chunk.Weight.Length);
        traffic.Write(chunk.KeptHeadLength);
        context.Note(traffic);
    }

    private void NoteChunk(in LinearCrossEntropyChunk<TTile> chunk, int groups, bool headIsKept, View dWeight)
    {
        var traffic = new Traffic(context.CacheBytes);
        AddForward(ref traffic, chunk, groups, headIsKept);
        if (chunk.HasGradients) AddBackward(ref traffic, chunk, dWeight);
        context.Note(traffic);
    }

    /// <summary>
    /// Rows packed into strips; then blocks of the vocabulary: a panel of the head from memory, all strips of the part's rows, which stay
    /// or come again for each block or panel, logits in the thread's scratch, and the exponentials to memory.
    /// </summary>
    private void AddForward(ref Traffic traffic, in LinearCrossEntropyChunk<TTile> chunk, int groups, bool headIsKept)
    {
        int threads = context.Team.Size, width = TTile.Columns;
        traffic.Read(chunk.X.Length);
        traffic.Write(chunk.StripsLength);
        traffic.Read((double)groups * (headIsKept ? chunk.KeptHeadLength : chunk.Weight.Length));

        double panel = TTile.ColumnsLength(chunk.Inner), strips = chunk.StripsLength;
        double logits = Math.Ceiling((double)chunk.Strips / groups) * TTile.MaxRows * BlockColumns;
        double exponentials = chunk.HasGradients ? logits : 0, headBlock = (double)BlockColumns * chunk.X.Columns;
        double users = Math.Min(threads, chunk.Blocks * groups);
        double logitLines = logits / BlockColumns * Math.Max(width, FloatsPerLine);
        if (!traffic.Fits(strips / groups + logitLines + 2 * panel)) traffic.Read(strips * chunk.Blocks * (BlockColumns / width));
        else if (!traffic.Fits(strips + logits + exponentials + headBlock)) traffic.Read(strips * chunk.Blocks);
        else if (users > 1) traffic.Read(strips * users);
        if (!headIsKept) traffic.Write(users * panel);
        if (traffic.Fits(logits + exponentials + strips / groups + headBlock))
        {
            traffic.Write(logits * users);
        }
        else
        {
            traffic.Write(logits * chunk.Blocks * groups);
            traffic.Read(logits * chunk.Blocks * groups);
        }

        if (chunk.StreamsExponentials) traffic.Stream((double)chunk.X.Rows * chunk.Weight.Rows);
        else if (chunk.HasGradients) traffic.Write((double)chunk.X.Rows * chunk.Weight.Rows);

        // Maxima and sums; the losses read both and write scales.
        traffic.Write(3.0 * chunk.RowNumbersLength);
        traffic.Read(chunk.RowNumbersLength);
    }

    /// <summary>
    /// Rows packed into panels; then, for each group of columns, blocks of the vocabulary: exponentials and the head from memory, packed
    /// into scratch; sums of dX and panels of x, which stay from block to block or come again; dWeight there and back. Last the sum of
    /// dX's slots.
    /// </summary>
    private void AddBackward(ref Traffic traffic, in LinearCrossEntropyChunk<TTile> chunk, View dWeight)
    {
        double rows = chunk.X.Rows, columns = Math.Min(LinearCrossEntropyChunk<TTile>.GroupColumns, chunk.X.Columns), x = chunk.X.Length;
        double pass = Math.Min(rows, chunk.RowsOfPass), headBlock = BlockColumns * columns, strips = pass * BlockColumns;
        double gradient = dWeight.IsEmpty ? 0 : headBlock, panels = dWeight.IsEmpty ? 0 : rows * columns;
        traffic.Read(x);
        traffic.Write(chunk.PanelsLength);

        // Each thread's scratch is filled again and again; strips that do not stay are read for every panel of columns.
        int width = TTile.Columns;
        double users = Math.Min(context.Team.Size, chunk.Slots * chunk.Groups), both = dWeight.IsEmpty ? 1 : 2;
        traffic.Write(users * headBlock);
        if (traffic.Fits(strips + pass * Math.Max(width, FloatsPerLine) + BlockColumns * width))
        {
            traffic.Write(users * strips);
        }
        else
        {
            traffic.Write(chunk.Groups * both * rows * chunk.Weight.Rows);
            traffic.Read(both * rows * chunk.Weight.Rows * Math.Ceiling(x / rows / width));
        }

        traffic.Read(chunk.Weight.Length + chunk.Groups * (double)chunk.RowNumbersLength);

        // Both products read a pass's exponentials, one after the other.
        double products = traffic.Passes(both, 2 * strips + headBlock + pass * columns);
        traffic.Read(chunk.Groups * products * rows * chunk.Weight.Rows);

        double block = rows * BlockColumns + strips + headBlock + gradient + panels + rows * columns;
        double uses = traffic.Fits(block) ? chunk.Slots : chunk.Blocks;
        traffic.Write(uses * x);
        if (!dWeight.IsEmpty)
        {
            traffic.Read(uses * chunk.PanelsLength);
            double passes = traffic.Passes(chunk.Passes, gradient + headBlock + 2 * strips + 2 * pass * columns);
            traffic.Write(passes * dWeight.Length);
            traffic.Read(x); // for the targets, whose gradient is at hand
        }

        traffic.Read(chunk.Slots * x + x); // with the targets' rows of the head
        traffic.Write(x);
    }
}
