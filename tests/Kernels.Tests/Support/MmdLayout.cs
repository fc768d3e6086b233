namespace RepNoise.Kernels.Tests.Support;

/// <summary>Entries of an MMD case: about two thirds of all (pair, position), chosen by the seed.</summary>
public sealed record MmdLayout(int[] Pairs, int[] Positions, int[] Ids)
{
    public int Rows => Pairs.Length;

    public static MmdLayout Random(ulong seed, int pairs, int positions)
    {
        var sequence = new PhiloxSequence(seed, PhiloxPurpose.DataOrder, 0);
        var (pairOf, positionOf) = (new List<int>(), new List<int>());
        for (int position = 0; position < positions; position++)
        {
            for (int pair = 0; pair < pairs; pair++)
            {
                if (sequence.Next(3) == 0) continue;
                pairOf.Add(pair);
                positionOf.Add(position);
            }
        }

        return new MmdLayout([.. pairOf], [.. positionOf], [.. Enumerable.Range(0, pairs).Select(i => (1 << 20) + 77 * i)]);
    }

    /// <summary>The plan on a device.</summary>
    public MmdPlan On(Device device)
    {
        var plan = new MmdPlan(device, Ids.Length + 1, Rows + 2);
        plan.Load(Pairs, Positions, Ids);
        return plan;
    }

    /// <summary>The draw of every entry, (R, C).</summary>
    public double[] Noise(int columns, ulong seed, uint step, int layer)
    {
        var values = new double[Rows * columns];
        var draw = new float[columns];
        for (int r = 0; r < Rows; r++)
        {
            GaussianNoise.Fill(draw, seed, step, layer, Ids[Pairs[r]], Positions[r]);
            for (int c = 0; c < columns; c++) values[r * columns + c] = draw[c];
        }

        return values;
    }
}
