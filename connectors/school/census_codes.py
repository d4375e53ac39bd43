"""The code lists of the School Census, as of 2026: column → codes in force in any of the three terms.

Source: liia-tools-pipeline school_census specs 2015-2026 merged (DfE Common Basic Data Set). Where the specification
names a second spelling of a code (False for 0, FIXD for SUSP, Yes for Y) both are in the list, because COLLECT writes
either. What is not here: free text, and sentype, which the specification leaves open.
"""

from __future__ import annotations

_BY_COLUMNS: dict[str, str] = {
    "accommodation": "D B H",
    "apattendancepattern": "FT PT",
    "apreason": "ASP EHC MHN NEW OTH PEX PHN RHE",
    "apsettingtype": "NFE OOT OTH WBP",
    "attendancereason": "/ \\ B C C1 C2 D E G I J1 K L M N O P Q R S T U V W X Y1 Y2 Y3 Y4 Y5 Y6 Y7 Z # H J",
    "boarder": "B 6 7 N",
    "category": "PERM LNCH SUSP FIXD",
    "childcarebefore8am childcareuntil6pm holidaychildcareproviderhours": "YES NO UNKNOWN",
    "childcarecovers8amto6pm": "ALL MOST SOME NONE UNKNOWN",
    "childcareprovider": "SCH SIP PIP VOL OTH",
    "childcaresignposting": "YF YL N U",
    "classactivity": "AR EN FL GP GS HU MA MD OT PE PL PS RE RS SC TE TV",
    "classtype": "N O",
    "childcareplaces childmothers coreaim dafindicator ftemp parttime resourcedprovisionindicator "
    "schoollunchtaken senunitindicator topupfunding": "0 False 1 True",
    "englishgcsepriorattainmentyear11 mathsgcsepriorattainmentyear11": "1 2 3",
    "enrolstatus": "C M S F O",
    "ethnicity": (
        "WBRI WCOR WENG WNIR WSCO WWEL WOWB WIRI WIRT WOTH WALB WBOS WCRO WGRE WGRK WGRC WITA WKOS WPOR WSER "
        "WTUR WTUK WTUC WEUR WEEU WWEU WOTW WROM WROG WROR WROO MWBC MWBA MWAS MWAP MWAI MWAO ABRI AWEL MOTH "
        "MAOE MABL MACH MBOE MBCH MCOE MWOE MWCH MOTM AIND APKN AMPK AKPA AOPK ABAN AOTH AAFR AKAO ANEP ASNL "
        "ASLT ASRO AOTA BBRI BWEL BCRB BAFR BANN BCON BGHA BNGN BSLN BSOM BSUD BAOF BOTH BEUR BNAM BOTB CHNE "
        "CHKC CMAL CSNG CTWN COCH OOTH OAFG ORAB OARA OEGY OFIL OIRN OIRQ OJPN OKOR OKRD OLAM OLEB OLIB OMAL "
        "OMRC OPOL OTHA OVIE OYEM OOEG NOBT REFU"
    ),
    "eyppbf": "RE RO RB RU",
    "eyppr onsite": "Y Yes N No",
    "fundingbasis": "ECO HSD LAA",
    "governance": "CO VA VC FO IN NM CT CA",
    "intake": "COMP SEL1 SEL2 SEL3 SEL4 SPEC HOSP",
    "keystage": "F 1 2 3 M",
    "language": (
        "ACL ADA AFA AFK AKA AKAF AKAT ALB ALU AMR ARA ARAA ARAG ARAI ARAM ARAS ARAY ARM ASM ASR AYB AYM AZE "
        "BAI BAL BEJ BEL BEM BHO BIK BLT BMA BNG BNGA BNGC BNGS BSL BSQ BUL CAM CAT CCE CCF CGA CGR CHE CHI "
        "CHIA CHIC CHIH CHIK CHIM CKW CRN CTR CWA CYM CZE DAN DGA DGB DIN DUT DZO EBI EDO EFI ENB ENG ESA EST "
        "EWE EWO FAN FIJ FIN FON FRN FUL GAA GAE GAL GEO GER GGO GKY GLG GRE GREA GREC GRN GUJ GUN GUR HAU "
        "HDK HEB HER HGR HIN IBA IDM IGA IGB IJO ILO ISK ISL ITA JAV JIN JPN KAM KAN KAR KAS KAU KAZ KCH KGZ "
        "KHA KHY KIN KIR KIS KLN KMB KME KNK KNY KON KOR KPE KRI KRU KSI KSU KUR KURA KURM KURS LAO LBA LBAC "
        "LBAK LGA LGB LGS LIN LIT LNG LOZ LSO LTV LTZ LUE LUN LUO LUY MAG MAI MAK MAN MANA MANB MANJ MAO MAR "
        "MAS MDV MEN MKD MLG MLM MLT MLY MLYA MLYI MNA MNG MNX MOR MSC MUN MYA NAH NAM NBN NDB NDBS NDBZ NEP "
        "NOR NOT NUE NUP NWA NZM OAM OAMK OAMN OGN ORI ORM OTB OTH OTL PAG PAM PAT PHA PHR PNJ PNJA PNJG PNJM "
        "PNJP POL POR PORA PORB PRS PRSA PRSD PRST QUE RAJ REF RME RMI RMN RMNM RMNR RMS RNY RNYN RNYO RUS "
        "SAM SCB SCBB SCBC SCBS SCO SHL SHO SID SIO SLO SLV SND SNG SNH SOM SPA SRD SRK SSO SSOO SSOT SSW STS "
        "SUN SWA SWAA SWAC SWAK SWAM SWAT SWE TAM TEL TEM TES TGE TGL TGLF TGLG TGR THA TIB TIV TMZ TMZA TMZK "
        "TMZT TNG TON TPI TRI TSO TUK TUL TUM TUR UKR UMB URD URH UYG UZB VEN VIE VSY VSYA VSYH VSYS VSYW WAP "
        "WCP WOL WPE XHO YAO YDI YOR ZND ZUL ZZZ"
    ),
    "lea": (
        "001 003 010 011 012 013 014 016 020 021 022 023 024 026 030 031 032 033 034 036 040 041 042 043 044 "
        "046 050 051 052 053 054 056 167 201 202 203 204 205 206 207 208 209 210 211 212 213 301 302 303 304 "
        "305 306 307 308 309 310 311 312 313 314 315 316 317 318 319 320 330 331 332 333 334 335 336 340 341 "
        "342 343 344 350 351 352 353 354 355 356 357 358 359 370 371 372 373 380 381 382 383 384 390 391 392 "
        "393 394 420 600 601 602 603 604 605 606 607 608 609 610 611 612 613 614 615 616 617 618 619 620 621 "
        "622 623 624 625 626 627 628 629 630 631 632 633 660 661 662 663 664 665 666 667 668 669 670 671 672 "
        "673 674 675 676 677 678 679 680 681 701 702 703 704 705 706 707 708 800 801 802 803 805 806 807 808 "
        "810 811 812 813 815 816 820 821 822 823 825 826 830 831 835 836 837 838 839 840 841 845 846 850 851 "
        "852 855 856 857 860 861 865 866 867 868 869 870 871 872 873 874 875 876 877 878 879 880 881 882 883 "
        "884 885 886 887 888 889 890 891 892 893 894 895 896 901 902 903 904 905 906 907 908 909 910 911 912 "
        "913 914 915 916 917 918 919 920 921 922 923 924 925 926 927 928 929 930 931 932 933 934 935 936 937 "
        "938 939 940 941 942 943 XXX MMM NAA"
    ),
    "learnerfamcode": "01 02 03 04 05 22",
    "learnerfamtype": "NLM EMH MMH",
    "learningaimstatus programmeaimstatus": "1 2 3 4",
    "learningaimwithdrawalreason programmeaimwithdrawalreason": "1 2 3 4 44 45 97 98",
    "englishgcsefundingexemption mathsgcsefundingexemption": "L O U F N",
    "englishgcsehighestpriorattainment englishgcsehighestpriorattainmentpreviousyear "
    "mathsgcsehighestpriorattainment mathsgcsehighestpriorattainmentpreviousyear": (
        "A* A B C D E F G U 9 8 7 6 5 4 3 2 1 NR"
    ),
    "highestncyeargroup lowestncyeargroup ncyearactual ncyearleaving yeargroup": (
        "E1 E2 N1 N2 R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 M X"
    ),
    "otherschools": "Y Yes N No U Unknown",
    "phase": "NS PS MP MS SS SP AT EY PR NO",
    "plaa": "N A G R C O",
    "placementreason": "BHS SUS EXR MHN OTH PHN",
    "progtype": "30 31 01",
    "reason1 reason2 reason3": "PP PA VP VA OW BU RA LG DS SM DA DM TH DB MT PH",
    "senprovision senprovisionentry senprovisionleaving": "N E K S A P",
    "servicechild": "Y Yes N No U Unknown R Refused",
    "sex": "M Male F Female",
    "sourcelevel": "S school L",
    "specialschooltype": "SPLD MLD SLD PMLD SEMH SLCN HI VI MSI PD ASD OTH",
    "supportcode": "24 32 35 36 41 53 54 55 56",
    "term": "AUT SPR SUM 601 602 603 604 605 606",
    "type": (
        "01 02 03 04 05 06 07 08 09 10 11 12 16 17 18 21 22 25 26 27 28 29 30 31 32 33 36 37 38 39 41 42 43 "
        "44 45 46 47 48 49 50 51 52 53 54 55"
    ),
    "typeofchildcare": "B A H U",
    "ukcountry": "ENG NIR SCT WLS",
    "wpmode": "1 internal 2 external",
    "youngcarer": "P S N",
    "yssa": "Yes Y No N UNS Unsought SNR",
}

CODES: dict[str, tuple[str, ...]] = {
    **{column: tuple(codes.split()) for columns, codes in _BY_COLUMNS.items() for column in columns.split()},
    "childcareplacesavailability": (
        "YES",
        "NO",
        "UNKNOWN",
        "Information not available from external provider",
    ),
    "collection": (
        "SC",
        "School Census",
    ),
    "name": (
        "School Census",
        "SC",
        "PRU Census",
        "PRU",
    ),
}
