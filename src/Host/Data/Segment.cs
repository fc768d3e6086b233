namespace RepNoise.Host.Data;

/// <summary>
/// A run of rows with its own keys and, optionally, a context: an earlier run that all of it may attend to. Key j of the
/// visible keys (context first, then the run's own) has position <see cref="FirstPosition"/> + j; a query's position is its
/// row's. A query at position i sees the key at j when 0 &lt;= i - j &lt; window. Rows after the first
/// <see cref="KeyCount"/> of a run are pads: they query and are no key to anyone, not even to themselves.
/// </summary>
public struct Segment
{
    /// <summary>First row of the run.</summary>
    public int QueryRow;

    /// <summary>Rows of the run, pads included; never 0.</summary>
    public int QueryCount;

    /// <summary>First key row: the run's first row.</summary>
    public int KeyRow;

    /// <summary>Rows of the run that are keys, its real tokens; 0 for an empty answer.</summary>
    public int KeyCount;

    /// <summary>First row of the context.</summary>
    public int ContextRow;

    /// <summary>Rows of the context, all of them keys; 0 where there is none.</summary>
    public int ContextCount;

    /// <summary>Position of the first visible key, the context counted.</summary>
    public int FirstPosition;

    /// <summary>Number of the pair or sequence in the batch. Segments share key rows only within a group, and a group's are
    /// neighbours.</summary>
    public int Group;
}
