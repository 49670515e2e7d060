//! Values that a spreadsheet would run or change when it opens comma-separated values.

/// Words that begin a date or a time, and two boolean values: in English and in Korean.
const WORDS: [&str; 16] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "true",
    "false", "오전", "오후",
];

/// The text, with an apostrophe in front if a spreadsheet could take it for something else. A text
/// that begins with an apostrophe gets another, so that two texts never become one cell.
pub(super) fn guarded(text: String) -> String {
    let is_plain =
        text.chars().next().is_none_or(char::is_alphabetic) && !begins_like_a_date(&text);
    if is_plain { text } else { format!("'{text}") }
}

fn begins_like_a_date(text: &str) -> bool {
    let start: String = text.chars().take(5).flat_map(char::to_lowercase).collect();
    WORDS.iter().any(|word| start.starts_with(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_or_change_gets_an_apostrophe() {
        for text in [
            "=1+1",
            "+8210",
            "-5",
            "@SUM(A1)",
            "＝1+1",
            "＋1",
            "－1",
            "＠A1",
            " =1",
            "\u{3000}=1",
            "\u{feff}=1",
            "\u{a0}=1",
            "\u{200b}=1",
            "\u{2060}=1",
            "|cmd",
            "'=1",
            "'",
            "0012345",
            "1234567890123456789",
            "1E5",
            "3-1",
            "1/2",
            "10:30",
            "50%",
            "$5",
            "#N/A",
            "１２３",
            "²",
            "MAR1",
            "Sept 2",
            "TRUE",
            "오전 10:30",
            "(5)",
            ".5",
            "\"=1\"",
            "👒",
            "_x0041_",
        ] {
            assert_eq!(guarded(text.to_owned()), format!("'{text}"), "{text:?}");
        }
        for text in ["u_991", "ada@example.com", "홍길동", "É", "a=1", "名前", "summer.4812", ""]
        {
            assert_eq!(guarded(text.to_owned()), text, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn one_apostrophe_taken_away_gives_the_text_back(text in "\\PC{0,20}") {
            let cell = guarded(text.clone());
            prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(&cell), text);
        }
    }
}
