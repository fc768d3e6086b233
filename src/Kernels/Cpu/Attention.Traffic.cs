namespace RepNoise.Kernels.Cpu;

/// <summary>What an attention moves, counted over the segments, blocks and chunks that it is about to run; see <see cref="Traffic"/>.</summary>
internal sealed unsafe partial class Attention<T>
{
    /// <summary>
    /// Each block of query rows reads all keys and values that it sees, once for all heads of their group; its queries, outputs and
    /// log-sum-exps cross once, or once a chunk of keys where they do not stay. Scratch is a thread's own.
    /// </summary>
    private void NoteForward(in AttentionBatch batch)
    {
        var traffic = new Traffic(context.CacheBytes);
        int parts = 0, longest = 0;
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            var segment = batch.Segment(i, out _);
            longest = Math.Max(longest, segment.VisibleCount);
            for (int done = 0; done < segment.QueryCount; done += AttentionForward<T>.BlockRows, parts += batch.KeyValueHeads)
            {
                int rows = Math.Min(AttentionForward<T>.BlockRows, segment.QueryCount - done);
                AddForward(ref traffic, batch, segment, segment.QueryRow + done, rows);
            }
        }

        double filled = Math.Min(1, longest / (double)AttentionForward<T>.ChunkKeys);
        traffic.Write(Math.Min(context.Team.Size, parts) * filled * AttentionForward<T>.ScratchLength(batch, 0));
        context.Note(traffic);
    }

    private static void AddForward(ref Traffic traffic, in AttentionBatch batch, in AttentionSegment segment, int row, int rows)
    {
        int first = batch.Visible(segment, row).First, keys = batch.Visible(segment, row + rows - 1).End - first;
        double heads = batch.KeyValueHeads, queries = (double)rows * batch.GroupSize * batch.HeadSize;
        double chunk = Math.Min(keys, AttentionForward<T>.ChunkKeys) * 2.0 * batch.HeadSize;
        double scratch = Math.Min(1, keys / (double)AttentionForward<T>.ChunkKeys) * AttentionForward<T>.ScratchLength(batch, 0);
        int chunks = rows <= AttentionForward<T>.FewRows ? 1 : Chunks(segment, first, first + keys, AttentionForward<T>.ChunkKeys);
        double uses = traffic.Passes(chunks, scratch + chunk + 2 * queries);
        traffic.Read(heads * (2.0 * keys * batch.HeadSize + uses * queries));
        traffic.Write(heads * (uses * queries + (double)rows * batch.GroupSize));
        if (rows <= AttentionForward<T>.FewRows || traffic.Fits(scratch)) return;

        // Packed keys and values do not stay: again for every strip of rows and head, as far as it sees.
        double seen = 0;
        for (int done = 0; done < rows; done += MatmulTile<T>.MaxRows)
            seen += batch.Visible(segment, row + Math.Min(rows, done + MatmulTile<T>.MaxRows) - 1).End - first;
        traffic.Write(heads * 2 * keys * batch.HeadSize);
        traffic.Read(heads * batch.GroupSize * 2 * seen * batch.HeadSize);
    }

    /// <summary>
    /// dQ, dK and dV are cleared, dOutput meets output; then a family's segments in order: chunks of keys with K, V, dK and dV, and to each
    /// chunk all query rows that see it, with Q, dOutput and dQ, unless these stay from chunk to chunk.
    /// </summary>
    private void NoteBackward(in AttentionBatch batch, View dQ, View dK, View dV)
    {
        var traffic = new Traffic(context.CacheBytes);
        traffic.Write((double)dQ.Length + dK.Length + dV.Length);
        traffic.Read(2.0 * dQ.Length);
        traffic.Write((double)dQ.Rows * batch.KeyValueHeads * batch.GroupSize);
        double scratch = AttentionBackward<T>.ScratchLength(batch), heads = batch.KeyValueHeads;
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            var segment = batch.Segment(i, out _);
            if (segment.QueryCount == 0) continue;
            int last = segment.QueryRow + segment.QueryCount - 1, key = batch.Visible(segment, segment.QueryRow).First, end = batch.Visible(segment, last).End;
            double queries = (double)segment.QueryCount * batch.GroupSize * batch.HeadSize, seen = 0;
            double keyFloats = 4.0 * Math.Min(end - key, AttentionBackward<T>.ChunkKeys) * batch.HeadSize;
            bool stays = traffic.Fits(scratch + keyFloats + 3 * queries), keepsPacked = traffic.Fits(scratch);
            for (int from = key; from < end;)
            {
                var chunk = AttentionBatch.Chunk(segment, from, end, AttentionBackward<T>.ChunkKeys);
                var (rowsThatSee, blocks) = RowsThatSee(batch, segment, chunk);
                seen += rowsThatSee;
                if (!keepsPacked) AddRepacked(ref traffic, batch, chunk.Count, rowsThatSee, blocks);
                from += chunk.Count;
            }

            double rows = (stays ? segment.QueryCount : seen) * batch.GroupSize, values = (double)(end - key) * batch.HeadSize;
            traffic.Read(heads * (2 * values + 2 * rows * batch.HeadSize + 2 * rows));
            traffic.Write(heads * (2 * values + rows * batch.HeadSize));
        }

        traffic.Write(Math.Min(context.Team.Size, batch.FamilyCount * batch.KeyValueHeads) * scratch);
        context.Note(traffic);
    }

    /// <summary>Packed keys do not stay from one strip of rows to the next, scores and the chunk's gradients not from block to block.</summary>
    private static void AddRepacked(ref Traffic traffic, in AttentionBatch batch, int keys, int rows, int blocks)
    {
        double heads = (double)batch.KeyValueHeads * batch.GroupSize, size = batch.HeadSize;
        traffic.Read(heads * rows / MatmulTile<T>.MaxRows * 3 * keys * size);
        traffic.Write(heads * (2.0 * rows * (keys + size) + 2.0 * blocks * keys * size));
    }

    private static int Chunks(in AttentionSegment segment, int key, int end, int limit)
    {
        int chunks = 0;
        for (; key < end; chunks++) key += AttentionBatch.Chunk(segment, key, end, limit).Count;
        return chunks;
    }

    /// <summary>Query rows of the backward's blocks that see a chunk, and the number of those blocks.</summary>
    private static (int Rows, int Blocks) RowsThatSee(in AttentionBatch batch, in AttentionSegment segment, KeyChunk chunk)
    {
        int sum = 0, blocks = 0;
        for (int done = 0; done < segment.QueryCount; done += AttentionBackward<T>.BlockRows)
        {
            int row = segment.QueryRow + done, rows = Math.Min(AttentionBackward<T>.BlockRows, segment.QueryCount - done);
            bool isSeen = batch.Visible(segment, row + rows - 1).End > chunk.First && batch.Visible(segment, row).First < chunk.First + chunk.Count;
            if (!isSeen) continue;
            sum += rows;
            blocks++;
        }

        return (sum, blocks);
    }
}
